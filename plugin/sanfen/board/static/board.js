"use strict";
// The board's own behaviour: clocks that run by the service's time, the live feed, acts, sound and keys. Text is only ever set
// as text; pieces of the page come from the service's own templates.
(() => {
  const body = document.body;
  const say = body.dataset;
  const at = (id) => document.getElementById(id);
  const list = at("waiting");
  const meta = (name) => document.querySelector(`meta[name=${name}]`).content;
  const remembered = { get: (key) => { try { return localStorage.getItem(key); } catch { return null; } }, set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* private */ } } };

  // --- time: the service's, whatever the clock of this machine says ---
  let base = { server: Number(say.now), here: performance.now() };
  let pace = 1;
  let sample = null;
  const now = () => base.server + (performance.now() - base.here) * pace;
  const hear = (server) => {
    const here = performance.now();
    if (!sample || here - sample.here > 900) {
      const seen = sample ? (server - sample.server) / (here - sample.here) : 1;
      if (sample && sample.seen !== undefined && Math.abs(seen - sample.seen) < 0.15 * Math.max(1, seen)) pace = Math.abs(seen - 1) < 0.15 ? 1 : seen;
      sample = { here, server, seen };
    }
    if (Math.abs(server - now()) > 200 || pace !== 1) base = { server, here };
  };
  const clock = (ms) => {
    const seconds = Math.floor(Math.abs(ms) / 1000), minutes = Math.floor(seconds / 60) % 60, hours = Math.floor(seconds / 3600);
    const two = (value) => String(value).padStart(2, "0");
    return (ms < 0 ? "-" : "") + (hours ? `${hours}:${two(minutes)}` : minutes) + `:${two(seconds % 60)}`;
  };

  // --- the list ---
  const SIGNS = { urgent: "▲", soon: "●", calm: "○", over: "✕" };
  const zoneOf = (row) => {
    const { due, span } = row.dataset;
    if (!due || !span) return "calm";
    const left = due - now();
    return left < 0 ? "over" : left * 6 <= span ? "urgent" : left * 2 <= span ? "soon" : "calm";
  };
  const rank = (row) => {
    const due = Number(row.dataset.due);
    return !due ? [1, Number(row.dataset.opened)] : row.className === "over" ? [2, -due] : [0, due];
  };
  const put = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };
  const sort = () => {
    const rows = [...list.children].map((row) => [rank(row), row]);
    rows.sort(([a, one], [b, other]) => a[0] - b[0] || a[1] - b[1] || (one.id < other.id ? -1 : 1));
    rows.forEach(([, row], index) => { if (list.children[index] !== row) list.insertBefore(row, list.children[index]); });
  };
  let known = null; // who was in the last zone
  const tick = () => {
    document.querySelectorAll("[data-since]").forEach((cell) => put(cell, clock(now() - cell.dataset.since)));
    if (!list) return;
    const counts = { urgent: 0, soon: 0, calm: 0, over: 0 }, held = {}, urgent = new Set();
    let moved = false;
    for (const row of list.children) {
      const zone = zoneOf(row), { due, span, agent } = row.dataset;
      counts[zone] += 1;
      if (zone === "urgent") urgent.add(row.id);
      if (agent) held[agent] = (held[agent] || 0) + 1;
      if (row.className !== zone || !row.dataset.seen) {
        row.className = zone;
        row.dataset.seen = "1";
        put(row.querySelector(".left i"), SIGNS[zone]);
        moved = true;
      }
      if (due) {
        put(row.querySelector(".left span"), clock(due - now()));
        row.querySelector("progress").value = Math.max(0, Math.min(1, (due - now()) / span));
      }
      const rests = row.querySelector("[data-rests]");
      if (rests) rests.hidden = rests.dataset.rests <= now();
    }
    if (moved) sort();
    for (const row of list.children) put(row.querySelector(".held"), String(held[row.dataset.agent] || 0));
    for (const tile of document.querySelectorAll("[data-zone]")) {
      const count = tile.querySelector("b");
      put(count, String(counts[tile.dataset.zone]));
      count.dataset.n = counts[tile.dataset.zone];
      tile.classList.toggle("some", counts[tile.dataset.zone] > 0);
    }
    at("nobody").hidden = list.children.length > 0;
    const first = list.firstElementChild;
    document.title = (counts.urgent ? `(${counts.urgent}) ` : "") + (first ? `${first.querySelector(".left span").textContent} ` : "") + `三分 ${say.shop}`;
    badge(counts.urgent);
    alarm(urgent, first);
  };

  // --- badge, sound, notification: one for all that is urgent ---
  let badged = null;
  const badge = (count) => {
    if (badged === count) return;
    badged = count;
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
    canvas.width = canvas.height = 32;
    pen.fillStyle = count ? "#a82a08" : "#00684d";
    pen.beginPath(); pen.arc(16, 16, 16, 0, 7); pen.fill();
    pen.fillStyle = "#fff"; pen.font = "bold 20px sans-serif"; pen.textAlign = "center"; pen.textBaseline = "middle";
    pen.fillText(count ? (count > 9 ? "9+" : String(count)) : "3", 16, 17);
    at("icon").href = canvas.toDataURL();
  };
  const sound = at("sound");
  let audio = null, mutedUntil = 0, notice = null;
  const isOn = () => remembered.get("sound") === "on";
  const isMuted = () => Date.now() < mutedUntil;
  const showSound = () => { if (sound) put(sound, isMuted() ? say.muted : isOn() ? say.soundOn : say.soundOff); };
  const beep = () => {
    if (!audio || !isOn() || isMuted()) return;
    for (const [delay, pitch] of [[0, 880], [0.18, 1175]]) {
      const tone = audio.createOscillator(), volume = audio.createGain(), start = audio.currentTime + delay;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.2, start);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.16);
      tone.connect(volume).connect(audio.destination);
      tone.start(start); tone.stop(start + 0.17);
    }
  };
  const alarm = (urgent, first) => {
    const fresh = known && [...urgent].some((id) => !known.has(id));
    const changed = !known || fresh || urgent.size !== known.size;
    known = urgent;
    if (fresh) beep();
    if (!changed || !("Notification" in window) || Notification.permission !== "granted" || !isOn()) return;
    if (notice) notice.close();
    notice = urgent.size && !isMuted() ? new Notification(say.urgent.replace("{count}", urgent.size), { tag: "sanfen", silent: true, body: first ? first.querySelector(".left span").textContent : "" }) : null;
    if (notice) notice.onclick = () => { window.focus(); if (first) first.querySelector("a, button")?.focus(); };
  };
  const allow = () => { if (!audio && isOn() && window.AudioContext) audio = new AudioContext(); };
  if (sound && list) {
    sound.hidden = false;
    sound.addEventListener("click", () => {
      mutedUntil = 0;
      remembered.set("sound", isOn() ? "off" : "on");
      allow();
      if (isOn() && "Notification" in window && Notification.permission === "default") Notification.requestPermission();
      beep(); showSound();
    });
    document.addEventListener("pointerdown", allow); document.addEventListener("keydown", allow);
    showSound();
  }

  // --- the feed ---
  const parse = (html) => new DOMParser().parseFromString(html, "text/html").body;
  const replace = (old, fresh) => {
    const inside = old.contains(document.activeElement) ? document.activeElement : null;
    const again = inside && (inside.dataset.do ? `[data-do="${inside.dataset.do}"]` : inside.getAttribute("href") ? `[href="${CSS.escape(inside.getAttribute("href"))}"]` : null);
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
    old.replaceChildren(...fresh.childNodes);
    if (inside) (again && old.querySelector(again) || old.querySelector("a, button"))?.focus({ preventScroll: true });
  };
  let heard = performance.now(), tried = heard, source = null, blind = false;
  const take = (said) => {
    heard = performance.now();
    hear(said.now_ms);
    blind = Boolean(said.blind);
    const names = new Set();
    if (said.put) {
      for (const row of [...parse(said.put).children]) {
        names.add(row.id);
        const old = at(row.id);
        if (old) replace(old, row); else list.append(document.adoptNode(row));
      }
    }
    for (const name of said.gone || []) at(name)?.remove();
    if (said.all) for (const row of [...list.children]) if (!names.has(row.id)) row.remove();
    for (const [name, html] of Object.entries(said.parts || {})) {
      const fresh = document.createElement("div");
      fresh.id = name;
      fresh.append(...parse(html).childNodes);
      replace(at(name), fresh);
    }
    tick();
    watch();
  };
  const listen = () => {
    if (source) source.close();
    tried = performance.now();
    source = new EventSource(list.dataset.stream);
    source.onmessage = (event) => take(JSON.parse(event.data));
    source.onerror = async () => {
      if (source.readyState !== EventSource.CLOSED) return;
      try { const answer = await fetch(location.href, { headers: { Accept: "text/html" } }); if (answer.redirected) location.href = answer.url; } catch { /* away */ }
      setTimeout(listen, 1000);
    };
  };
  const watch = () => {
    const silent = Math.round((performance.now() - heard) / 1000), away = performance.now() - heard > 2600; // seen within 3 s
    at("main").classList.toggle("stale", away || blind);
    at("lost").hidden = !away;
    if (away) put(at("lost"), say.lost.replace("{seconds}", silent));
    const live = at("live");
    if (live) live.hidden = away || blind;
    if (away && performance.now() - tried > 4000) listen();
  };
  if (list) {
    listen();
    setInterval(() => { tick(); watch(); }, 200);
    document.addEventListener("visibilitychange", () => { if (!document.hidden && performance.now() - heard > 3000) listen(); });
    window.addEventListener("online", listen);
  } else if (document.querySelector("[data-since]")) setInterval(tick, 1000);

  // --- acts ---
  const toast = (text) => { put(at("toast"), text); clearTimeout(toast.timer); toast.timer = setTimeout(() => put(at("toast"), ""), 5000); };
  const asked = (dialog) => new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? dialog.querySelector("input").value.trim() : ""), { once: true });
    dialog.showModal();
  });
  const me = async () => {
    const name = remembered.get("by") || meta("visitor") || await asked(at("who"));
    if (name) remembered.set("by", name);
    return name;
  };
  const send = async (path, given) => {
    try {
      const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRF-Token": meta("csrf") }, body: JSON.stringify(given) });
      const said = await answer.json();
      if (!answer.ok) throw new Error(`${said.title}${said.hint ? `: ${said.hint}` : ""}`);
      return said;
    } catch (error) { toast(`${say.refused} ${error.message}`); return null; }
  };
  const act = async (id, what, button) => {
    const to = what === "reassign" ? await asked(at("give")) : null;
    if (to === "") return;
    const by = await me();
    if (!by) return;
    const said = await send(`/api/v1/rounds/${encodeURIComponent(id)}/${what}`, to === null ? { by } : { by, to });
    if (said) { toast(`${say.done} ${button.textContent.trim()}`); if (!list) setTimeout(() => location.reload(), 300); }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.do) act(button.closest("[data-round]")?.dataset.round || button.closest("[data-row]").id, button.dataset.do, button);
    else if (button.dataset.test) {
      const out = button.parentElement.querySelector("output");
      put(out, "…");
      const said = await send(`/api/v1/people/${encodeURIComponent(button.dataset.test)}/test`, {});
      const tried = said ? Object.values(said).find(Array.isArray).filter((way) => way.result !== "untried") : [];
      put(out, tried.map((way) => `${button.dataset[way.result]} ${(way.took_ms / 1000).toFixed(1)} s: ${way.answer}`).join("; "));
    } else if (button.dataset.unmask) {
      const by = await me(), said = by && await send(`/api/v1/rounds/${encodeURIComponent(button.dataset.unmask)}/unmask`, { by });
      if (said) { put(document.querySelector("[data-customer]"), said.customer); button.hidden = true; }
    } else if (button.id === "help") at("keys").showModal();
  });
  if (list) {
    let start = null;
    list.addEventListener("touchstart", (event) => { start = event.touches[0]; }, { passive: true });
    list.addEventListener("touchend", (event) => {
      const end = event.changedTouches[0], row = event.target.closest("[data-row]"), button = row?.querySelector("[data-do=reassign]");
      if (start && button && start.clientX - end.clientX > 80 && Math.abs(start.clientY - end.clientY) < 40) act(row.id, "reassign", button);
      start = null;
    }, { passive: true });
  }

  // --- keys ---
  const GO = { n: "/", r: "/rounds", a: "/agents", h: "/hours", b: "/budget", e: "/escalations", c: "/rules" };
  let going = 0;
  const step = (by) => {
    const rows = [...document.querySelectorAll("[data-row]")], here = rows.findIndex((row) => row.contains(document.activeElement));
    rows[Math.max(0, Math.min(rows.length - 1, here + by))]?.querySelector("a, button")?.focus();
  };
  const press = (selector) => {
    const row = document.activeElement?.closest("[data-row]") || document.querySelector("[data-row]") || document;
    (row.querySelector(selector) || document.querySelector(selector))?.click();
  };
  const KEYS = {
    j: () => step(1), k: () => step(-1), e: () => press("a"), t: () => press("[data-do=take]"), r: () => press("[data-do=reassign]"),
    "/": () => { const field = document.querySelector(".filter input"); if (field) field.focus(); else location.href = "/rounds#filter"; },
    l: () => at("language")?.click(), "?": () => at("keys").showModal(), g: () => { going = performance.now(); },
    m: () => { mutedUntil = isMuted() ? 0 : Date.now() + 600000; if (notice) notice.close(); showSound(); toast(isMuted() ? say.muted : isOn() ? say.soundOn : say.soundOff); },
    Escape: () => { if (document.activeElement !== body) document.activeElement.blur(); else if (!list) history.back(); },
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox]), select, textarea") || document.querySelector("dialog[open]");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape") || document.querySelector("dialog[open]")) return;
    if (going && performance.now() - going < 1500 && GO[event.key]) { going = 0; location.href = GO[event.key]; return; }
    going = 0;
    if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
  });
  if (location.hash === "#filter") window.addEventListener("load", () => setTimeout(() => document.querySelector(".filter input")?.focus(), 0));

  // --- what scrolls sideways is reached by keys ---
  const reach = () => document.querySelectorAll(".wide, .card").forEach((one) => {
    if (one.scrollWidth > one.clientWidth && !one.querySelector("a, button, input, [tabindex]")) one.tabIndex = 0; else one.removeAttribute("tabindex");
  });
  new ResizeObserver(reach).observe(document.documentElement);

  // --- the wall stays awake ---
  const stay = () => { if (body.classList.contains("wall") && !document.hidden) navigator.wakeLock?.request("screen").catch(() => {}); };
  document.addEventListener("visibilitychange", stay);
  stay();
  tick();
})();
