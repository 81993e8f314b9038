/** Another process on the same store, as a command beside a running gate is: its own connection and nothing shared. */

import type { Config } from '../../src/config/config.ts'
import { systemClock, type Clock } from '../../src/domain/clock.ts'
import { openStore, openTokens } from '../../src/open-parts.ts'
import type { Store } from '../../src/store/store.ts'
import type { Tokens } from '../../src/store/tokens.ts'

export const commandLine = 'cli:test'

export async function elsewhere<T>(
  config: Pick<Config, 'store' | 'tokens'>,
  work: (tokens: Tokens, store: Store) => Promise<T>,
  clock: Clock = systemClock,
): Promise<T> {
  await using store = await openStore(config, clock)
  await using tokens = openTokens(config, store, clock)
  return await work(tokens, store)
}

/** The file of an embedded store. */
export function storePath({ store }: Pick<Config, 'store'>): string {
  if (store.kind !== 'sqlite') throw new Error('not an embedded store')
  return store.path
}
