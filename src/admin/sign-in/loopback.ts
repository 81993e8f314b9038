/** Where plain http will do: nowhere but on this machine. */

/** https, or http on a loopback address. */
export function isHttpsOrLoopback(text: string): boolean {
  const url = URL.parse(text)
  if (url === null) return false
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && isLoopback(url.hostname)
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}
