/** Which items of a list an API user sees, and under which obligations: each is decided by itself. */

import type { Resource } from '../../domain/access-request.ts'
import type { Obligations } from '../../domain/decision.ts'
import type { TextSet } from '../../lib/text-set.ts'
import { sameObligations } from '../../policy/obligations.ts'
import type { Item, ItemJudge, ItemVerdict } from '../../policy/policy-engine.ts'
import type { Directory } from '../../upstream/directory.ts'
import { unfilterable } from '../cut.ts'
import type { ItemReader } from './item-facts.ts'
import type { Items } from './items.ts'
import type { ResourceOf } from './resources.ts'
import type { Breathe } from './turns.ts'

/** What is done with an item that is of no resource. `broken`: such an item cannot be, the answer is not a list of these. */
export type Strays = { kind: 'hidden' | 'broken' } | { kind: 'shown'; obligations: Obligations }

export type Sight = {
  judge: ItemJudge
  /** Every canonical id that can pass, where the grant names them; `undefined`: it does not. */
  among: TextSet | undefined
  /** Wall clock. */
  atMs: number
  resourceOf: ResourceOf
  strays: Strays
  facts:
    | ({ from: 'item' } & ItemReader)
    | {
        from: 'directory'
        directory: Pick<Directory, 'named'>
        user: string
      }
}

/** Positions in the list, ascending; `kinds` says which of the obligations each is shown under. */
export type Shown = {
  indexes: Uint32Array
  kinds: Uint32Array
  obligations: readonly Obligations[]
  /** `now`: it hangs on facts of the directory, which change without the list. */
  holds: 'as long as the list' | 'now'
}

/** Items judged between two looks at the clock. */
const stride = 32

/** @throws Problem what the directory throws; `unfilterable_answer` */
export async function visibleAmong(items: Items, sight: Sight, breathe: Breathe): Promise<Shown> {
  const { judge, among, atMs, resourceOf, strays, facts } = sight
  const found = new Collected()
  const waiting: { index: number; resource: Resource }[] = []
  const keys = facts.from === 'item' && facts.keys !== 'all' ? facts.keys : undefined
  const own = (index: number): Item['facts'] =>
    facts.from === 'item' ? facts.read(items.itemAt(index, keys)) : undefined
  let early: 'without facts' | 'with facts' = 'without facts'
  for (let index = 0; index < items.length; index += 1) {
    if (index % stride === 0) {
      const pause = breathe()
      // oxlint-disable-next-line no-await-in-loop -- others get their turn
      if (pause !== undefined) await pause
    }
    const id = items.idAt(index, among)
    if (id === undefined) {
      if (strays.kind === 'broken') throw unfilterable('an item of a list has no id')
      if (strays.kind === 'shown') found.add(index, strays.obligations)
      continue
    }
    if (id === null) continue
    const resource = resourceOf(id)
    if (resource === undefined) continue
    const before = early === 'with facts' ? own(index) : undefined
    let verdict = judge.judge({ resource, facts: before }, atMs)
    if (verdict.outcome === 'needs_facts') {
      if (facts.from === 'directory') {
        waiting.push({ index, resource })
        continue
      }
      // One item that needs its facts is not the last.
      early = 'with facts'
      verdict = judge.judge({ resource, facts: own(index) }, atMs)
    }
    found.put(index, verdict)
  }
  if (waiting.length === 0) return found.shown('as long as the list', 'as found')
  await judgeWaiting(waiting, found, sight, breathe)
  return found.shown('now', 'sorted')
}

async function judgeWaiting(
  waiting: readonly { index: number; resource: Resource }[],
  found: Collected,
  { judge, atMs, facts }: Sight,
  breathe: Breathe,
): Promise<void> {
  if (facts.from === 'item') return
  const { directory, user } = facts
  const { maxAgeMs } = judge
  const resources = waiting.map(({ resource }) => resource)
  const known = await directory.named(resources, user, maxAgeMs)
  for (const { index, resource } of waiting) {
    const pause = breathe()
    // oxlint-disable-next-line no-await-in-loop -- others get their turn
    if (pause !== undefined) await pause
    found.put(index, judge.judge({ resource, facts: known(resource) }, atMs))
  }
}

/** Few obligations differ although items are many: each is kept once. */
class Collected {
  readonly #indexes: number[] = []
  readonly #kinds: number[] = []
  readonly #obligations: Obligations[] = []

  put(index: number, verdict: ItemVerdict): void {
    if (verdict.outcome === 'allow') this.add(index, verdict.obligations)
  }

  add(index: number, obligations: Obligations): void {
    this.#indexes.push(index)
    this.#kinds.push(this.#kindOf(obligations))
  }

  /** `sorted`: what was found was not found in the order of the list. */
  shown(holds: Shown['holds'], order: 'as found' | 'sorted'): Shown {
    const [indexes, kinds] = [this.#indexes, this.#kinds]
    const obligations = this.#obligations
    if (order === 'as found') {
      return {
        indexes: new Uint32Array(indexes),
        kinds: new Uint32Array(kinds),
        obligations,
        holds,
      }
    }
    const positions = [...indexes.keys()].sort((a, b) => (indexes[a] ?? 0) - (indexes[b] ?? 0))
    return {
      indexes: Uint32Array.from(positions, (position) => indexes[position] ?? 0),
      kinds: Uint32Array.from(positions, (position) => kinds[position] ?? 0),
      obligations,
      holds,
    }
  }

  #kindOf(obligations: Obligations): number {
    const known = this.#obligations
    const same = known.indexOf(obligations)
    if (same !== -1) return same
    const alike = known.findIndex((each) => sameObligations(each, obligations))
    return alike === -1 ? known.push(obligations) - 1 : alike
  }
}
