/** Asks again for the few resources of a list that writes have touched. */

import { Problem } from '../../domain/problem.ts'
import type { ListQuestion, ListView } from '../fleet-lists.ts'
import { eachAtOnce } from './at-once.ts'
import type { ListRead, ListReader, Reading } from './list-reader.ts'
import { patchView } from './patch-view.ts'
import { idFilter, narrowed } from './question.ts'

const idsAtOnce = 6

/** `bytes`: what the patches add. @throws as the reader does */
export async function readPatched(
  reader: ListReader,
  question: ListQuestion,
  view: ListView,
  ids: readonly string[],
  reading: Pick<Reading, 'signal' | 'claim' | 'room'>,
): Promise<ListRead> {
  const filter = idFilter(question)
  const reads = await eachAtOnce(idsAtOnce, ids, async (only) => {
    const alone = filter === undefined ? undefined : narrowed(question, filter, only)
    if (alone === undefined) {
      throw new Problem('internal', { cause: 'the list cannot be asked for one resource' })
    }
    return reader.read(alone, { ...reading, only })
  })
  const patches = ids.flatMap((id, at) => {
    const now = reads[at]?.view
    return now === undefined ? [] : [{ id, now }]
  })
  const bytes = reads.reduce((sum, read) => sum + read.bytes, 0)
  return { view: await patchView(view, patches), bytes }
}
