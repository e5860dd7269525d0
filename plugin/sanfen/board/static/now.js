"use strict";
// Asks for the page again each second and swaps its middle. When the service does not answer, the page says so and
// greys itself: a board that stands still must not look healthy.
(() => {
  const live = document.getElementById("live");
  const lost = document.getElementById("lost");
  if (!live) { setTimeout(() => location.reload(), 5000); return; }
  let heard = Date.now();
  const ask = async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(2500) });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const id of ["live", "clock", "day", "trouble"]) {
          const fresh = page.getElementById(id);
          if (fresh) document.getElementById(id).replaceChildren(...fresh.childNodes);
        }
        const first = live.querySelector(".left");
        document.title = (first ? first.textContent + " " : "") + page.title;
        heard = Date.now();
      }
    } catch { /* said below */ }
    const silent = Math.round((Date.now() - heard) / 1000);
    const away = silent >= 3;
    live.classList.toggle("stale", away);
    lost.hidden = !away;
    if (away) lost.textContent = `${document.body.dataset.lost} ${silent} s`;
    setTimeout(ask, 1000);
  };
  setTimeout(ask, 1000);
})();
