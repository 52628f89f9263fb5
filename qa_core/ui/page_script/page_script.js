// Every page has this script.
//
// The key "/": asks the server for the page Find (trigger `pressed`), and puts the cursor into its field. The sign is compared and not the
// place of the key: on a French keyboard it takes Shift.

const PATIENCE = 10000; // milliseconds that the field may take to appear

let latest = null; // the component as last drawn: one listener serves all pages

export default function (component) {
  const isNew = latest?.data.isHere !== component.data.isHere;
  if (latest === null) {
    document.addEventListener("keydown", press);
    new MutationObserver(giveRoles).observe(document.body, { childList: true, subtree: true });
    giveRoles();
    addEventListener("beforeprint", fitCharts);
    addEventListener("afterprint", freeCharts);
  }
  latest = component;
  document.documentElement.lang = component.data.language; // Streamlit says English
  // A phone would open its keyboard over the page.
  if (isNew && component.data.isHere && matchMedia("(hover: hover)").matches) {
    focus(Date.now() + PATIENCE);
  }
}

function press(event) {
  if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) {
    return;
  }
  event.preventDefault();
  if (latest.data.isHere) {
    focus(Date.now() + PATIENCE);
  } else {
    latest.setTriggerValue("pressed", true);
  }
}

function isTyping(node) {
  return node.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(node.tagName);
}

function focus(until) {
  const field = document.querySelector(`.st-key-${latest.data.field} input`);
  if (field) {
    field.focus();
  } else if (Date.now() < until && latest.data.isHere) {
    setTimeout(() => focus(until), 100);
  }
}

// Streamlit's menu puts divisions between its list and the items; the small line of a tile draws its points as pictures
// without a name, beside the tile's own words.
function giveRoles() {
  for (const list of document.querySelectorAll('ul[data-testid="stSidebarNavItems"]:not([role])')) {
    list.setAttribute("role", "presentation");
  }
  for (const part of document.querySelectorAll('ul[data-testid="stSidebarNavItems"] > div:not([role])')) {
    part.setAttribute("role", part.querySelector("li") ? "list" : "presentation");
  }
  for (const line of document.querySelectorAll('[data-testid="stMetric"] svg:not([aria-hidden])')) {
    line.setAttribute("aria-hidden", "true");
  }
}

// A chart is drawn for its place on the screen; on paper it is scaled as a whole to the place it has there (print.css).
function fitCharts() {
  for (const drawing of document.querySelectorAll("svg.main-svg")) {
    drawing.setAttribute("viewBox", `0 0 ${drawing.getAttribute("width")} ${drawing.getAttribute("height")}`);
  }
}

function freeCharts() {
  for (const drawing of document.querySelectorAll("svg.main-svg[viewBox]")) {
    drawing.removeAttribute("viewBox");
  }
}
