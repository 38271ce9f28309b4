// csrfFetch(input, init) is fetch, with the page's CSRF token where one is needed: in requests to this origin that
// change something. The token is in <meta name="csrf-token">. An answer with a header X-CSRF-Token renews it, as one to
// a sign-in should.
globalThis.csrfFetch = async (input, init) => {
  const request = new Request(input, init);
  const here = new URL(request.url).origin === location.origin;
  const meta = document.querySelector('meta[name="csrf-token"]');
  if (here && meta && !["GET", "HEAD", "OPTIONS"].includes(request.method)) {
    request.headers.set("X-CSRF-Token", meta.content);
  }
  const response = await fetch(request);
  const renewed = response.headers.get("X-CSRF-Token");
  if (here && meta && renewed && new URL(response.url).origin === location.origin) {
    meta.content = renewed;
  }
  return response;
};
