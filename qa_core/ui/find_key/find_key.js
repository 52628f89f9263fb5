// The key "/": asks the server for the page Find (trigger `pressed`), and puts the cursor into its field. The sign is compared and not the
// place of the key: on a French keyboard it takes Shift.

const PATIENCE = 10000; // milliseconds that the field may take to appear

let latest = null; // the component as last drawn: one listener serves all pages

export default function (component) {
  const isNew = latest?.data.isHere !== component.data.isHere;
  if (latest === null) {
    document.addEventListener("keydown", press);
  }
  latest = component;
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
