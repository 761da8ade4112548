// Keeps what is typed: a draft is saved in the inbox's own store a moment after each change.
"use strict";

(() => {
  const PAUSE = 900;
  let timer = 0;
  let sent = "";
  let busy = false;

  const form = () => document.querySelector("#answer-form[data-draft]");

  function typed(of) {
    const data = new URLSearchParams();
    for (const [name, value] of new FormData(of)) {
      if (name.startsWith("a.")) data.append(name, value);
    }
    return data.toString();
  }

  function say(text) {
    const place = document.querySelector("#saved");
    if (place && place.textContent !== text) place.textContent = text;
  }

  async function save() {
    const of = form();
    if (!of) return;
    if (busy) return later(); // what came while a draft is on its way goes after it
    const body = typed(of);
    if (body === sent) return;
    busy = true;
    try {
      const answer = await fetch(of.dataset.draft, {
        method: "POST",
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
        body,
      });
      say(answer.ok ? "Draft saved." : "The draft could not be saved.");
      if (answer.ok) sent = body;
      else later(PAUSE * 5);
    } catch {
      say("Not saved yet: no connection. It is tried again.");
      later(PAUSE * 3);
    } finally {
      busy = false;
    }
  }

  function later(pause = PAUSE) {
    clearTimeout(timer);
    timer = setTimeout(save, pause);
  }

  document.addEventListener("input", (event) => {
    if (event.target.closest?.("#answer-form[data-draft]")) later();
  });
  document.addEventListener("submit", (event) => {
    clearTimeout(timer);
    const of = form();
    if (of && event.target === of) sent = typed(of); // it goes with the form: nothing is to be saved behind it
  });
  // What of a proposal was opened goes with the decision; "js" says that a script could tell.
  document.addEventListener("toggle", (event) => {
    const name = event.target.dataset?.opens;
    const place = document.querySelector("#opened");
    if (!place || !name || !event.target.open) return;
    const known = place.value.split(" ");
    if (!known.includes(name)) place.value = [...known, name].join(" ").trim();
  }, true);
  document.addEventListener("DOMContentLoaded", () => {
    const of = form();
    if (of) sent = typed(of);
    const place = document.querySelector("#opened");
    if (place && !place.value) place.value = "js";
  });
  window.addEventListener("pagehide", () => {
    const of = form();
    if (of && timer && typed(of) !== sent) {
      navigator.sendBeacon(of.dataset.draft, new URLSearchParams(typed(of)));
    }
  });
})();
