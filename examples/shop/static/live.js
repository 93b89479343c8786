const [cart, count, state] = ["live", "count", "state"].map((id) => document.getElementById(id));

function listen() {
  const events = new EventSource("/live/events");
  events.onopen = () => { state.textContent = "connected"; };
  events.onmessage = (event) => {
    cart.innerHTML = event.data;
    count.textContent = cart.lastElementChild.dataset.count;
  };
  events.onerror = () => {
    state.textContent = "waiting for the shop";
    // The browser tries again by itself, but not after an error status.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 1000);
  };
}
listen();
