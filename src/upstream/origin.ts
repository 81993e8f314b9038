/** The one place requests may go: the upstream's URL, parsed once at start. */

export type UpstreamOrigin = {
  protocol: 'http:' | 'https:'
  /** Scheme and authority, no trailing slash: `https://api.particle.io`. */
  origin: string
  /** Authority as it stands in `Host`. */
  host: string
  /** Prefix put before every target: empty, or `/segment…` without a trailing slash. */
  basePath: string
}

/** @throws Error with a sentence for the person who wrote the URL. */
export function parseUpstreamOrigin(text: string): UpstreamOrigin {
  if (!URL.canParse(text)) throw new Error(`upstream URL ${quote(text)} is not a URL`)
  const url = new URL(text)
  // Credentials come from the secrets of the configuration; in a URL they end up in logs. Not even quoted here.
  if (url.username !== '' || url.password !== '') {
    throw new Error('upstream URL must not carry a user name or password')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`upstream URL ${quote(text)} must begin with http:// or https://`)
  }
  if (/[?#]/.test(text)) throw new Error(`upstream URL ${quote(text)} must end with its path`)
  if (/\\|\/\.{1,2}(\/|$)/.test(text)) {
    throw new Error(`upstream URL ${quote(text)} must not contain dot segments or backslashes`)
  }
  const basePath = url.pathname.endsWith('/') ? url.pathname.slice(0, -1) : url.pathname
  if (!/^(\/[\w.~-]+)*$/.test(basePath)) {
    throw new Error(`upstream URL ${quote(text)} has a path that is not plain segments`)
  }
  return { protocol: url.protocol, origin: url.origin, host: url.host, basePath }
}

function quote(text: string): string {
  return JSON.stringify(text)
}
