// What makes the pages quicker for those who have JavaScript: keys, live updates, a countdown. Nothing depends on it.
"use strict";

(() => {
  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // --- keys ---------------------------------------------------------------------------------------------------------

  let here = -1;

  function go(step) {
    const rows = all("[data-task]");
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.classList.contains("here"));
    here = Math.min(Math.max((at < 0 ? (step > 0 ? -1 : 0) : at) + step, 0), rows.length - 1);
    rows.forEach((row, index) => row.classList.toggle("here", index === here));
    $(".what a", rows[here]).focus();
    rows[here].scrollIntoView({ block: "nearest" });
  }

  function claim() {
    const row = $("[data-task].here");
    if (!row) return $('[data-key="c"]')?.click();
    all('#bulk input[name="task"]').forEach((box) => { box.checked = row.contains(box); });
    $('#bulk button[value="claim"]').click();
  }

  function answer() {
    const form = $("#answer-form");
    if (!form) return $("[data-task].here .what a")?.click();
    const field = $("input:not([type=hidden]), select, textarea, .decisions button, button.first", form);
    $("#answer").scrollIntoView({ block: "start" });
    field?.focus();
  }

  const keys = {
    j: () => go(1),
    k: () => go(-1),
    c: claim,
    e: answer,
    "/": () => $("#find").focus(),
    "?": () => $("#keys").showModal(),
  };

  // Letters that act alone are in the way of whoever speaks to their computer: each may switch them off, for good.
  const kept = {
    get off() { try { return localStorage.getItem("keys") === "off"; } catch { return false; } },
    set off(off) { try { localStorage.setItem("keys", off ? "off" : "on"); } catch { /* a browser that keeps nothing */ } },
  };

  function showSwitch() {
    all("[data-keys-switch]").forEach((place) => {
      place.hidden = false;
      $("input", place).checked = !kept.off;
    });
  }

  document.addEventListener("change", (event) => {
    if (!event.target.closest("[data-keys-switch]")) return;
    kept.off = !event.target.checked;
    showSwitch();
  });

  function isField(element) {
    return element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.key === "Escape" && isField(event.target)) return event.target.blur();
    const isBox = event.target.type === "checkbox";
    if ((isField(event.target) && !isBox) || $("dialog[open]")) return;
    const act = keys[event.key];
    if (!act || kept.off) return;
    event.preventDefault();
    act();
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("[data-task]");
    if (row) all("[data-task]").forEach((other) => other.classList.toggle("here", other === row));
  });

  // --- live updates -------------------------------------------------------------------------------------------------

  let lost = 0;

  function sayLost() {
    const place = $("#lost");
    if (place.childElementCount) return;
    const note = document.createElement("div");
    note.className = "note warn";
    note.textContent = "No connection to the inbox. What you type stays here; this page goes on by itself.";
    place.append(note);
  }

  document.addEventListener("htmx:sse:error", () => {
    // One lost connection is mended before anyone reads of it.
    lost += 1;
    if (lost > 1) sayLost();
  });
  document.addEventListener("htmx:sse:after:connection", (event) => {
    if (event.detail.connection.status !== 200) return;
    if (lost) window.htmx.trigger($("#live"), "tasks", {});
    lost = 0;
    $("#lost").replaceChildren();
  });
  document.addEventListener("health", (event) => {
    const place = $("#health");
    if (event.detail.data === place.dataset.said) return;
    place.dataset.said = event.detail.data;
    const troubles = JSON.parse(event.detail.data || "[]");
    place.replaceChildren(...troubles.map((text) => {
      const note = document.createElement("div");
      note.className = "note warn";
      note.textContent = text;
      return note;
    }));
  });

  // --- what was just done ---------------------------------------------------------------------------------------------

  function countDown() {
    const flash = $("#flash");
    if (!flash?.dataset.until || flash.dataset.counts) return;
    flash.dataset.counts = "yes";
    const until = Date.parse(flash.dataset.until);
    const tick = () => {
      if (!flash.isConnected) return;
      const left = Math.ceil((until - Date.now()) / 1000);
      if (left > 0) {
        $("[data-left]", flash).textContent = ` (${left} s)`;
        setTimeout(tick, 250);
        return;
      }
      $("form", flash)?.remove();
      setTimeout(() => window.htmx.trigger(flash, "settle", {}), 1200);
    };
    tick();
  }

  document.addEventListener("htmx:after:swap", countDown);
  document.addEventListener("DOMContentLoaded", () => {
    $("#errors, #conflict")?.focus();
    countDown();
    showSwitch();
  });
})();
