// The player of a recording. What it needs from the server it asks for by triggers: `asked` an address to play, `remark` a remark at a moment,
// `removed` to take one away. It is called again with each change of its data, on the same element.

const PLAYERS = new WeakMap();
const STEP = 5;
const SPEEDS = [0.75, 1, 1.25, 1.5, 2];
const TYPED = ["text", "search", "email", "number", "password", "tel", "url", "date", "time", "datetime-local", "month", "week"];

const PAUSE = 1500; // milliseconds without a key after which words beside the recording are kept

let current = null; // the player that keys go to: the one used last, else the first on the page

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".player");
  let player = PLAYERS.get(root);
  if (!player) {
    player = build(parentElement);
    PLAYERS.set(root, player);
  }
  player.update(data, setTriggerValue);
  // Also called for a change of data that another one overtook, while the player stays.
  return () => setTimeout(player.closeIfGone);
}

function build(parent) {
  const find = (name) => parent.querySelector(name);
  const root = find(".player");
  const wave = find(".wave");
  const [back, play, forward, speed, remark] = [".back", ".play", ".forward", ".speed", ".remark"].map(find);
  const audio = root.appendChild(element("audio")); // in the page, so that the browser stops it with the player
  audio.preload = "auto";
  audio.preservesPitch = true;
  let data = { peaks: [], seconds: 0, labels: {}, remarks: [] };
  let trigger = () => {};
  let seen; // the address that was there last: one is used once, and only by who asked for it
  let waiting = false;
  let loading = null;
  let blob = null;
  let lockedAt = 0; // when play was pressed without a reason: one that is on its way opens it
  let from = 0; // where to start once there is something to hear

  const length = () => (Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration : data.seconds);
  const position = () => (blob ? audio.currentTime : from);

  function tell(text) {
    find(".told").textContent = text || "";
  }

  function busy(is) {
    waiting = is;
    play.setAttribute("aria-busy", String(is));
  }

  function show() {
    const at = Math.min(position(), length());
    const share = length() ? at / length() : 0;
    root.style.setProperty("--share", share.toFixed(5));
    find(".now").textContent = clock(at);
    find(".length").textContent = clock(length());
    wave.setAttribute("aria-valuemax", String(Math.round(length())));
    wave.setAttribute("aria-valuenow", String(Math.round(at)));
    wave.setAttribute("aria-valuetext", `${clock(at)} / ${clock(length())}`);
    const playing = !audio.paused;
    root.classList.toggle("playing", playing);
    label(play, playing ? data.labels.pause : data.labels.play);
  }

  function seek(seconds) {
    from = Math.max(0, Math.min(length(), seconds));
    if (blob) {
      audio.currentTime = from;
    }
    show();
  }

  function start() {
    tell("");
    audio.play().catch(() => tell(data.labels.again));
  }

  function toggle() {
    current = player;
    if (waiting) {
      return;
    }
    if (blob) {
      if (audio.paused) {
        start();
      } else {
        audio.pause();
      }
    } else if (data.locked) {
      lockedAt = Date.now();
      tell(data.labels.locked);
    } else {
      ask();
    }
  }

  function ask() {
    busy(true);
    tell(data.labels.loading);
    trigger("asked", true);
  }

  async function load(address) {
    loading = new AbortController();
    try {
      // Fetched whole, once: one address, one listening, and seeking never has to ask again.
      const answer = await fetch(address, { credentials: "same-origin", signal: loading.signal });
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      blob = URL.createObjectURL(await answer.blob());
      audio.src = blob;
      audio.playbackRate = Number(speed.value);
      if (from) {
        audio.currentTime = from;
      }
      busy(false);
      start();
    } catch (error) {
      busy(false);
      if (error.name !== "AbortError") {
        tell(data.labels.failed);
      }
    } finally {
      loading = null;
    }
  }

  function draw() {
    const width = wave.clientWidth;
    if (!width) {
      return;
    }
    const slots = Math.max(1, Math.floor(width / 4));
    const peaks = data.peaks.length ? data.peaks : [0];
    let path = "";
    for (let slot = 0; slot < slots; slot += 1) {
      const first = Math.floor((slot * peaks.length) / slots);
      const end = Math.max(first + 1, Math.floor(((slot + 1) * peaks.length) / slots));
      const half = Math.max(1, (Math.max(...peaks.slice(first, end)) / 100) * 46);
      path += `M${slot * 4 + 2} ${50 - half}V${50 + half}`;
    }
    for (const bars of parent.querySelectorAll(".bars")) {
      bars.setAttribute("viewBox", `0 0 ${slots * 4} 100`);
      bars.firstElementChild.setAttribute("d", path);
    }
  }

  function showRemarks() {
    const marks = find(".marks");
    const list = find(".remarks");
    marks.replaceChildren();
    list.replaceChildren();
    marks.classList.toggle("some", data.remarks.length > 0);
    list.hidden = data.remarks.length === 0;
    for (const entry of data.remarks) {
      const mark = element("button", "mark");
      mark.type = "button";
      mark.style.left = `${length() ? (100 * entry.seconds) / length() : 0}%`;
      label(mark, `${clock(entry.seconds)} ${entry.text}`);
      mark.addEventListener("click", () => seek(entry.seconds));
      marks.append(mark);

      const line = element("li");
      const moment = element("button", "moment", clock(entry.seconds));
      moment.type = "button";
      moment.addEventListener("click", () => seek(entry.seconds));
      const text = element("span", "text", entry.text);
      if (entry.about) {
        text.append(element("br"), element("span", "about", entry.about));
      }
      line.append(moment, text);
      if (entry.removable) {
        const remove = element("button", "remove", "×");
        remove.type = "button";
        label(remove, `${data.labels.remove} ${clock(entry.seconds)}`);
        remove.addEventListener("click", () => trigger("removed", entry.id));
        line.append(remove);
      }
      list.append(line);
    }
  }

  function seekTo(event) {
    const box = wave.getBoundingClientRect();
    current = player;
    seek(((event.clientX - box.left) / box.width) * length());
  }

  // The page draws the field for the remark. What is typed before it has the focus would be keys of the player.
  function focusRemark(until) {
    const field = root.getRootNode().host?.closest("[class*='_player']")?.querySelector("textarea");
    if (field) {
      field.focus();
    } else if (root.isConnected && Date.now() < until) {
      setTimeout(focusRemark, 100, until);
    }
  }

  function setSpeed(step) {
    const place = SPEEDS.indexOf(Number(speed.value)) + step;
    if (place >= 0 && place < SPEEDS.length) {
      speed.value = String(SPEEDS[place]);
      audio.playbackRate = SPEEDS[place];
    }
  }

  // Streamlit keeps words when their field is left; a tab that is closed meanwhile would lose them.
  let resting = 0;
  function keepWords(event) {
    const field = event.target;
    if (field.tagName === "TEXTAREA" && field.closest("[class*='st-key-grid_']")) {
      clearTimeout(resting);
      resting = setTimeout(() => field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true })), PAUSE);
    }
  }

  function press(event) {
    if (current !== player || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyped(event)) {
      return;
    }
    const target = event.composedPath()[0];
    const actions = { k: toggle, j: () => seek(position() - STEP), l: () => seek(position() + STEP), "[": () => setSpeed(-1), "]": () => setSpeed(1) };
    if (target === wave) {
      Object.assign(actions, { ArrowLeft: actions.j, ArrowRight: actions.l, Home: () => seek(0), End: () => seek(length()) });
    }
    if (target === wave || !isControl(target)) {
      actions[" "] = toggle;
    }
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  }

  function update(next, setTriggerValue) {
    const first = data.labels.play === undefined;
    trigger = setTriggerValue;
    const redraw = first || next.peaks.length !== data.peaks.length;
    data = next;
    label(root, data.labels.player);
    label(wave, data.labels.position);
    label(back, data.labels.back);
    label(forward, data.labels.forward);
    label(speed, data.labels.speed);
    remark.textContent = data.labels.remark;
    remark.hidden = !data.writable;
    if (redraw) {
      draw();
    }
    showRemarks();
    show();
    if (waiting && data.address && data.address !== seen) {
      load(data.address);
    } else if (waiting && data.refused && !loading) {
      busy(false);
      tell("");
    }
    seen = data.address;
    if (!data.locked && lockedAt) {
      tell("");
      if (Date.now() - lockedAt < 3000) {
        ask();
      }
      lockedAt = 0;
    }
  }

  const resized = new ResizeObserver(draw);
  resized.observe(wave);
  back.addEventListener("click", () => seek(position() - STEP));
  forward.addEventListener("click", () => seek(position() + STEP));
  play.addEventListener("click", toggle);
  speed.addEventListener("change", () => {
    audio.playbackRate = Number(speed.value);
  });
  remark.addEventListener("click", () => {
    current = player;
    audio.pause();
    trigger("remark", Math.round(position() * 10) / 10);
    focusRemark(Date.now() + 5000);
  });
  wave.addEventListener("pointerdown", (event) => {
    wave.setPointerCapture(event.pointerId);
    seekTo(event);
  });
  wave.addEventListener("pointermove", (event) => {
    if (wave.hasPointerCapture(event.pointerId)) {
      seekTo(event);
    }
  });
  for (const event of ["timeupdate", "play", "pause", "ended", "seeked", "loadedmetadata"]) {
    audio.addEventListener(event, show);
  }
  audio.addEventListener("timeupdate", () => player.closeIfGone());
  audio.addEventListener("loadedmetadata", showRemarks);
  audio.addEventListener("error", () => {
    if (blob) {
      tell(data.labels.failed);
    }
  });
  document.addEventListener("keydown", press);
  document.addEventListener("input", keepWords);

  const player = {
    update,
    closeIfGone() {
      if (root.isConnected) {
        return;
      }
      document.removeEventListener("keydown", press);
      document.removeEventListener("input", keepWords);
      resized.disconnect();
      loading?.abort();
      audio.pause();
      audio.removeAttribute("src");
      if (blob) {
        URL.revokeObjectURL(blob);
      }
      if (current === player) {
        current = null;
      }
    },
  };
  current ??= player;
  return player;
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function label(node, text) {
  node.setAttribute("aria-label", text);
  node.title = node.classList.contains("player") || node.classList.contains("wave") ? "" : text;
}

function isTyped(event) {
  return event.composedPath().some((node) => {
    const name = node.tagName;
    return (
      name === "TEXTAREA" || name === "SELECT" || (name === "INPUT" && TYPED.includes(node.type)) || node.isContentEditable || node.getAttribute?.("role") === "grid"
    );
  });
}

function isControl(node) {
  return ["BUTTON", "A", "SUMMARY", "INPUT", "LABEL"].includes(node.tagName) || ["button", "radio", "checkbox", "switch", "tab", "option", "link"].includes(node.getAttribute?.("role"));
}
