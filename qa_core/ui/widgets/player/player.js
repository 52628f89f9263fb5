// Player of a recording. It asks the server by triggers: `asked` for an address to play, `remark` for a form at a moment, `removed` to
// remove a remark. Streamlit calls the default function again, on the same element, with each change of its data.

import WaveSurfer from "./vendor/wavesurfer.esm.js";
import Regions from "./vendor/regions.esm.js";

const STEP = 5; // seconds
const REMEMBERED = 3000; // milliseconds for which a press of play waits for the reason to listen
const PAUSE = 1500; // milliseconds without a key after which comments beside the recording are saved

const players = new WeakMap();
let current = null; // the player that keys go to: the one used last, else the first on the page

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".player");
  if (!players.has(root)) {
    players.set(root, new Player(root));
  }
  const player = players.get(root);
  player.update(data, setTriggerValue);
  // Also called where newer data follows and the player stays.
  return () => setTimeout(() => player.closeIfGone());
}

class Player {
  address = null; // the last one given: each is fetched once, by the player that asked for it
  isWaiting = false; // for the address, or for what it leads to
  hasSound = false;
  triedAt = 0; // when play was pressed without a reason to listen

  constructor(root) {
    this.root = root;
    this.wave = root.querySelector(".wave");
    this.audio = root.querySelector("audio"); // in the page, so that the browser stops it with the player
    for (const name of ["back", "play", "forward", "speed", "remark", "message", "remarks"]) {
      this[name] = root.querySelector(`.${name}`);
    }
    current ??= this;

    this.back.addEventListener("click", () => this.seek(this.audio.currentTime - STEP));
    this.forward.addEventListener("click", () => this.seek(this.audio.currentTime + STEP));
    this.play.addEventListener("click", () => this.toggle());
    this.speed.addEventListener("change", () => this.setSpeed(0));
    this.remark.addEventListener("click", () => this.askRemark());
    this.onKey = (event) => this.press(event);
    this.onInput = (event) => this.saveAfterPause(event);
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("input", this.onInput);
  }

  update(data, trigger) {
    this.data = data;
    this.trigger = trigger;
    this.surfer ??= this.draw();
    for (const [node, name] of [
      [this.root, "player"],
      [this.wave, "position"],
      [this.back, "back"],
      [this.forward, "forward"],
      [this.speed, "speed"],
    ]) {
      label(node, data.labels[name]);
    }
    this.remark.textContent = data.labels.remark;
    this.remark.hidden = !data.writable;
    this.showRemarks();
    this.showPosition();
    if (this.isWaiting && data.address && data.address !== this.address) {
      this.load(data.address);
    } else if (this.isWaiting && data.refused && !this.fetching) {
      this.wait(false);
    }
    this.address = data.address;
    if (this.triedAt && !data.locked) {
      this.wait(false);
      if (Date.now() - this.triedAt < REMEMBERED) {
        this.ask();
      }
      this.triedAt = 0;
    }
  }

  draw() {
    this.regions = Regions.create();
    const surfer = WaveSurfer.create({
      container: this.wave,
      media: this.audio,
      // Drawn from what the server sent: the sound itself is fetched when somebody presses play.
      peaks: [this.data.peaks.map((peak) => peak / 100)],
      duration: this.data.seconds,
      height: 72,
      barWidth: 2,
      barGap: 2,
      barRadius: 2,
      barHeight: 0.92,
      cursorWidth: 2,
      ...this.colours(),
      dragToSeek: { debounceTime: 0 },
      plugins: [this.regions],
    });
    surfer.on("interaction", () => {
      current = this;
    });
    for (const event of ["timeupdate", "play", "pause", "finish"]) {
      surfer.on(event, () => this.showPosition());
    }
    surfer.on("ready", () => this.markRemarks());
    surfer.on("error", () => this.say(this.data.labels.failed));
    // The style sheet changes a colour of the wave with the theme, by a transition.
    this.wave.addEventListener("transitionend", () => surfer.setOptions(this.colours()));
    this.regions.on("region-clicked", (region, event) => {
      event.stopPropagation();
      this.seek(region.start);
    });
    return surfer;
  }

  colours() {
    const find = (name) => getComputedStyle(this.root).getPropertyValue(name).trim();
    const primary = find("--st-primary-color");
    return { waveColor: find("--st-text-color"), progressColor: primary, cursorColor: primary };
  }

  showPosition() {
    const [now, length] = [this.audio.currentTime, this.surfer.getDuration() || this.data.seconds];
    this.root.querySelector(".now").textContent = clock(now);
    this.root.querySelector(".length").textContent = clock(length);
    this.wave.setAttribute("aria-valuemax", String(Math.round(length)));
    this.wave.setAttribute("aria-valuenow", String(Math.round(now)));
    this.wave.setAttribute("aria-valuetext", `${clock(now)} / ${clock(length)}`);
    this.root.classList.toggle("playing", this.surfer.isPlaying());
    label(this.play, this.surfer.isPlaying() ? this.data.labels.pause : this.data.labels.play);
    this.closeIfGone();
  }

  showRemarks() {
    const { labels, remarks } = this.data;
    this.remarks.replaceChildren();
    this.remarks.hidden = remarks.length === 0;
    for (const { id, seconds, text, about, removable } of remarks) {
      const line = element("li");
      const words = element("span", "text", text);
      if (about) {
        words.append(element("br"), element("span", "about", about));
      }
      line.append(button("moment", clock(seconds), () => this.seek(seconds)), words);
      if (removable) {
        const remove = button("remove", "×", () => this.trigger("removed", id));
        label(remove, `${labels.remove} ${clock(seconds)}`);
        line.append(remove);
      }
      this.remarks.append(line);
    }
    this.markRemarks();
  }

  markRemarks() {
    if (!this.surfer.getDuration()) {
      return; // called again when it is ready
    }
    this.regions.clearRegions();
    for (const { id, seconds, text } of this.data.remarks) {
      const mark = element("span", "", "▼");
      label(mark, `${clock(seconds)} ${text}`);
      this.regions.addRegion({ id: `remark-${id}`, start: seconds, content: mark });
    }
  }

  seek(seconds) {
    this.surfer.setTime(Math.max(0, Math.min(this.surfer.getDuration(), seconds)));
  }

  toggle() {
    current = this;
    if (this.isWaiting) {
      return;
    }
    if (this.hasSound && this.surfer.isPlaying()) {
      this.surfer.pause();
    } else if (this.hasSound) {
      this.start();
    } else if (this.data.locked) {
      this.triedAt = Date.now();
      this.say(this.data.labels.locked);
    } else {
      this.ask();
    }
  }

  ask() {
    this.wait(true);
    this.say(this.data.labels.loading);
    this.trigger("asked", true);
  }

  async load(address) {
    this.fetching = new AbortController();
    try {
      // Fetched whole, once: each address is one listening, and moving within the sound asks for nothing more.
      const answer = await fetch(address, { credentials: "same-origin", signal: this.fetching.signal });
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      await this.surfer.loadBlob(await answer.blob(), this.surfer.options.peaks, this.data.seconds);
      this.hasSound = true;
      this.setSpeed(0);
      this.wait(false);
      this.start();
    } catch (error) {
      this.wait(false);
      if (error.name !== "AbortError") {
        this.say(this.data.labels.failed);
      }
    } finally {
      this.fetching = null;
    }
  }

  start() {
    this.say("");
    this.surfer.play().catch(() => this.say(this.data.labels.again));
  }

  wait(is) {
    this.isWaiting = is;
    this.play.setAttribute("aria-busy", String(is));
    this.say("");
  }

  say(text) {
    this.message.textContent = text;
  }

  setSpeed(step) {
    const place = this.speed.selectedIndex + step;
    this.speed.selectedIndex = Math.max(0, Math.min(this.speed.options.length - 1, place));
    this.surfer.setPlaybackRate(Number(this.speed.value));
  }

  askRemark() {
    current = this;
    this.surfer.pause();
    this.trigger("remark", Math.round(this.audio.currentTime * 10) / 10);
    this.focusRemark(Date.now() + 5000);
  }

  // The page draws the field of the remark. What is typed before it has the focus would be keys of the player.
  focusRemark(until) {
    const field = this.root.getRootNode().host?.closest("[class*='_player']")?.querySelector("textarea");
    if (field) {
      field.focus();
    } else if (this.root.isConnected && Date.now() < until) {
      setTimeout(() => this.focusRemark(until), 100);
    }
  }

  press(event) {
    if (current !== this || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyped(event)) {
      return;
    }
    const target = event.composedPath()[0];
    const [back, forward] = [() => this.seek(this.audio.currentTime - STEP), () => this.seek(this.audio.currentTime + STEP)];
    const acts = { k: () => this.toggle(), j: back, l: forward, "[": () => this.setSpeed(-1), "]": () => this.setSpeed(1) };
    if (target === this.wave) {
      Object.assign(acts, { ArrowLeft: back, ArrowRight: forward, Home: () => this.seek(0), End: () => this.seek(Infinity) });
    }
    if (target === this.wave || !isControl(target)) {
      acts[" "] = acts.k;
    }
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  }

  // Streamlit saves a comment when its field is left; a tab that is closed before would lose it.
  saveAfterPause({ target }) {
    if (target.tagName === "TEXTAREA" && target.closest("[class*='st-key-grid_']")) {
      clearTimeout(this.pausing);
      const enter = new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true });
      this.pausing = setTimeout(() => target.dispatchEvent(enter), PAUSE);
    }
  }

  closeIfGone() {
    if (this.root.isConnected) {
      return;
    }
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("input", this.onInput);
    this.fetching?.abort();
    this.audio.pause();
    this.surfer.destroy();
    if (current === this) {
      current = null;
    }
  }
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

function button(className, text, onClick) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

function label(node, text) {
  node.setAttribute("aria-label", text);
  node.title = node.matches(".player, .wave") ? "" : text;
}

function isTyped(event) {
  const typed = "textarea, select, [role=grid], input:not([type=radio], [type=checkbox], [type=range], [type=button], [type=submit])";
  return event.composedPath().some((node) => node.isContentEditable || node.matches?.(typed));
}

function isControl(node) {
  const control = "button, a, summary, input, label, [role=button], [role=radio], [role=checkbox], [role=switch], [role=tab], [role=option], [role=link]";
  return Boolean(node.matches?.(control));
}
