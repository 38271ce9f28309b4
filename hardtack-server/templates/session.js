// Tells how much time is left before the session ends, and notices when it has ended elsewhere. The pages work without it.
(() => {
  "use strict";
  const WARN = 120; // seconds before the end
  const EVERY = 5000; // milliseconds between two looks, which do not keep the session alive
  const note = document.getElementById("time-left");
  const [text, action] = [note.querySelector("span"), note.querySelector("a")];
  let endsAt = Infinity;
  let ended = false;

  function show(message, label, href) {
    if (text.textContent !== message) text.textContent = message;
    if (action.textContent !== label) action.textContent = label;
    if (href) action.href = href;
    note.hidden = false;
  }

  function tick() {
    if (ended) return;
    const left = Math.max(0, Math.round((endsAt - Date.now()) / 1000));
    if (left > WARN) {
      note.hidden = true;
      return;
    }
    const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    show(`Your session ends in ${time}.`, "Stay signed in");
  }

  async function look() {
    if (ended || document.hidden) return;
    try {
      const response = await fetch("/api/session?peek=1", { headers: { accept: "application/json" }, cache: "no-store" });
      if (!response.ok) return;
      const session = await response.json();
      ended = !session.isLogin;
      endsAt = Date.now() + (session.secondsLeft ?? 0) * 1000;
      if (ended) show("Your session has ended.", "Sign in again", `/login?next=${encodeURIComponent(location.pathname)}`);
    } catch {
      // The server is away: nobody knows, so nothing is said.
    }
    tick();
  }

  look();
  setInterval(look, EVERY);
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", look);
})();
