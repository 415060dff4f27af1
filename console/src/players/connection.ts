// Over how many connections a browser fetches what a page asks for.

/**
 * Requests of this page share one connection, as in HTTP/2 and HTTP/3: any number of streams plays beside each other. By HTTP/1.1 a browser
 * opens six connections to a host.
 */
export function sharesConnection(): boolean {
  const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")] as PerformanceResourceTiming[];
  return entries.some(({ name, nextHopProtocol }) => name.startsWith(location.origin) && /^h[23]/.test(nextHopProtocol));
}
