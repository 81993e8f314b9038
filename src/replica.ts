/** This gate among those that share its store: says every second that it lives, and knows who else does. */

import { version } from './lib/version.ts'
import type { Clock } from './domain/clock.ts'
import type { ReplicaRow } from './store/replica-store.ts'
import type { Store } from './store/store.ts'

export type ReplicaParts = {
  store: Pick<Store, 'kind' | 'replicas'>
  name: string
  boot: string
  policies: () => { revision: string; commit?: string }
  clock: Clock
  /** A beat that did not come through. */
  onFault: (error: unknown) => void
}

/** Who lives, this gate among them, after a beat that came through. */
export type OnBeat = (live: readonly ReplicaRow[]) => void

export type Replica = AsyncDisposable & {
  /** Told of the last beat at once, then of each; one listener. */
  follow(listener: OnBeat): void
  /** Whether no other gate that lives, or did within the last minutes, is under other policies; asked of the store now. */
  isAgreed(revision: string): Promise<boolean>
}

const beatMs = 1_000
/** A gate that is being restarted must not be overruled meanwhile. */
const rememberedMs = 5 * 60_000
/** Nobody else reads it there, and each beat is a write that the event loop waits for. */
const aloneBeatMs = 4_000

/** @throws whatever the store throws at the first beat */
export async function joinReplicas(parts: ReplicaParts): Promise<Replica> {
  const { store, name, boot, policies, clock, onFault } = parts
  const startedAtMs = clock.now()
  let live: readonly ReplicaRow[] = []
  let tell: OnBeat | undefined
  let beating: Promise<void> | undefined

  async function beat(): Promise<void> {
    const { revision, commit } = policies()
    const now = { nowMs: clock.now(), startedAtMs, version, revision, commit }
    await store.replicas.beat({ name, boot, ...now })
    live = (await store.replicas.list()).live
    if (live.some((each) => each.name === name && each.boot !== boot)) {
      onFault(new Error(`another gate runs under the name ${name}; give each its own "replica"`))
    }
    tell?.(live)
  }

  await beat()
  const timer = setInterval(
    () => {
      beating ??= beat()
        .catch(onFault)
        .finally(() => (beating = undefined))
    },
    store.kind === 'sqlite' ? aloneBeatMs : beatMs,
  )
  timer.unref()

  return {
    follow(listener) {
      tell = listener
      listener(live)
    },
    async isAgreed(revision) {
      // An embedded store serves one gate; what another boot of it left behind is not alive.
      if (store.kind === 'sqlite') return true
      const { live: present, gone } = await store.replicas.list()
      return [...present, ...gone].every(
        (each) => each.boot === boot || each.revision === revision || each.silentMs > rememberedMs,
      )
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await beating
    },
  }
}
