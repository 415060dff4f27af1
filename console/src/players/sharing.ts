// What of an address may be handed on: all but what proves that its viewer may play.

/** Parameters that choose a stream or a form of it, as `config/masking.py` has them. Any other may be a secret of a hook. */
const OPEN = ["vhost", "domain", "only", "hevc", "start"];

/** A JSON Web Token wherever it stands. */
const TOKEN = /eyJ[\w-]*\.eyJ[\w-]*\.[\w-]*/g;

/** Signatures of CDNs in front of the path: time and hash, or hash and time. */
const SIGNED = /^(?:\/\d{12}\/[\da-f]{32}|\/[\da-f]{32}\/[\da-f]{8})(?=\/)/i;

/** Of a query without its `?`. */
export function openQuery(query: string): string {
  return query
    .split("&")
    .filter((pair) => OPEN.includes(pair.split("=")[0]!) && !pair.match(TOKEN))
    .join("&");
}

/** Of a URL, or of what somebody has pasted for one. */
export function openUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text, location.href);
  } catch {
    return "";
  }
  const query = openQuery(url.search.slice(1));
  // Parts behind a token in the path stand without it.
  const path = url.pathname.replace(SIGNED, "").replace(TOKEN, "").replace(/\/(?=\/|$)/g, "");
  return `${url.protocol}//${url.host}${path}${query && `?${query}`}`;
}
