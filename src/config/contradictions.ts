/** What keys of `fleetgate.yaml` say beside each other that they do not say alone. */

type Contradicting = {
  operators: { oidc?: unknown }
  listen: { admin?: unknown }
  timeouts: { headers: number; request: number }
  trusted_proxies?: unknown
  trusted_hops: number
}

/** Keys that mean nothing, or not what they say, beside others. */
export function contradictions({
  operators: { oidc },
  listen,
  timeouts: times,
  ...rest
}: Contradicting) {
  const found: { path: string[]; message: string }[] = []
  if (oidc !== undefined && listen.admin === undefined) {
    found.push({
      path: ['operators', 'oidc'],
      message: 'needs an admin port to sign in at: say listen.admin',
    })
  }
  if (rest.trusted_hops > 1 && rest.trusted_proxies === undefined) {
    found.push({
      path: ['trusted_hops'],
      message: 'says nothing as long as no proxy is trusted: name them under "trusted_proxies"',
    })
  }
  if (times.headers > times.request) {
    found.push({
      path: ['timeouts', 'headers'],
      message: 'must be at most "request": a head is part of it',
    })
  }
  return found
}
