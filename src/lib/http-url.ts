/** URLs of other servers as people write them: http or https, without a password, and for an origin nothing but a plain path behind it. */

export type HttpOrigin = {
  protocol: 'http:' | 'https:'
  /** Scheme and authority, no trailing slash: `https://api.particle.io`. */
  origin: string
  /** Prefix put before every target: empty, or `/segment…` without a trailing slash. */
  basePath: string
}

/** `says` continues a sentence that begins with the key's name, and repeats nothing of a URL: there may be a password in it. */
export type UrlFault = { ok: false; says: string }

export function parseHttpUrl(text: string): { ok: true; url: URL } | UrlFault {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return fault('must be a URL that begins with http:// or https://')
  }
  if (url.username !== '' || url.password !== '') {
    return fault('must not hold a user name or password; they belong under "credentials"')
  }
  return /[?#]/.test(text) ? fault('must end with its path') : { ok: true, url }
}

/** The same for one place that requests go to, each with a path of its own. */
export function parseHttpOrigin(text: string): { ok: true; origin: HttpOrigin } | UrlFault {
  const parsed = parseHttpUrl(text)
  if (!parsed.ok) return parsed
  if (/\\|\/\.{1,2}(\/|$)/.test(text)) {
    return fault('must not contain dot segments or backslashes')
  }
  const { pathname, protocol, origin } = parsed.url
  const basePath = pathname.endsWith('/') ? pathname.slice(0, -1) : pathname
  if (!/^(\/[\w.~-]+)*$/.test(basePath)) return fault('must have a path of plain segments, or none')
  const scheme = protocol === 'https:' ? 'https:' : 'http:'
  return { ok: true, origin: { protocol: scheme, origin, basePath } }
}

/** https, or http on a loopback address: nothing secret goes over a network in clear. */
export function isHttpsOrLoopback(text: string): boolean {
  const url = URL.parse(text)
  if (url === null) return false
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && isLoopback(url.hostname)
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

function fault(says: string): UrlFault {
  return { ok: false, says }
}
