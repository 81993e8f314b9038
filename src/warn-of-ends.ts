/** Says in the log which tokens end soon: at start, and once a day each, so that nobody learns it from a client that fails. */

import type { Clock } from './domain/clock.ts'
import type { Log } from './lib/log.ts'
import { endsSoon } from './store/expiry.ts'
import type { TokenInfo, Tokens } from './store/tokens.ts'

export type WarnOfEndsParts = {
  tokens: Pick<Tokens, 'list'>
  clock: Pick<Clock, 'now'>
  log: Pick<Log, 'warn'>
  /** How long before its end a token's end is spoken of, milliseconds. */
  warnBeforeMs: number
  /** Calls back again and again until it is disposed of. */
  every: (ms: number, callback: () => void) => Disposable
  /** The tokens could not be looked through; it is tried again. */
  onFault: (error: unknown) => void
}

const lookEveryMs = 3_600_000
const sayAgainMs = 86_400_000
/** More in one look are said as a number: a log is no list. */
const mostNamed = 100

export function warnOfEnds(parts: WarnOfEndsParts): Disposable {
  const { tokens, clock, log, warnBeforeMs, every, onFault } = parts
  /** By token id: when it was last said. */
  let said = new Map<string, number>()

  function isDue(token: TokenInfo, nowMs: number): boolean {
    if (!endsSoon(token, { nowMs, warnBeforeMs })) return false
    return nowMs - (said.get(token.tokenId) ?? -Infinity) >= sayAgainMs
  }

  async function look(): Promise<void> {
    const nowMs = clock.now()
    const live = await tokens.list({ live: true })
    const due = live.filter((token) => isDue(token, nowMs))
    const ids = new Set(live.map(({ tokenId }) => tokenId))
    said = new Map([...said].filter(([id]) => ids.has(id)))
    for (const [index, { tokenId, user, endsAtMs = nowMs }] of due.entries()) {
      said.set(tokenId, nowMs)
      if (index >= mostNamed) continue
      log.warn('a token ends soon', { user, tokenId, ends: new Date(endsAtMs).toISOString() })
    }
    if (due.length > mostNamed) log.warn('more tokens end soon', { more: due.length - mostNamed })
  }

  const lookOnce = (): void => void look().catch(onFault)
  lookOnce()
  return every(lookEveryMs, lookOnce)
}
