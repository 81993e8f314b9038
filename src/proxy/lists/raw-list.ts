/** Shows a list by copying bytes of the answer: quicker than to parse it, where it is plain. */

import { parseCloudText } from '../../lib/cloud-json.ts'
import { assemble, sideOfAnswer, textAround } from './assemble.ts'
import { canBeRaw, itemsOfRaw } from './items-of-raw.ts'
import type { Look } from './look.ts'
import type { AnsweredList, ShownList } from './parsed-list.ts'
import { readRawItems, type RawItems } from './raw-items.ts'
import { RawShow } from './raw-show.ts'
import { createShow, type Show } from './show.ts'

/**
 * `undefined`: it must be parsed.
 * @throws CloudJsonFault, Problem `unfilterable_answer`
 */
export async function showRaw(look: Look, list: AnsweredList): Promise<ShownList | undefined> {
  const { answer, served } = list.looked
  if (!canBeRaw(answer)) return undefined
  const raw = readRawItems(list.contentType, list.body, answer.at)
  if (raw === undefined) return undefined
  const items = itemsOfRaw(raw, answer.items.id, list.resource)
  const { indexes, kinds, obligations } = await look.among(list.looked, items)
  const show = createShow(answer, answer.secrets, served.decision.obligations)
  const shown = new RawShow(raw, show, answer.items.sides)
  for (let nth = 0; nth < indexes.length; nth += 1) {
    const shownBy = obligations[kinds[nth] ?? 0] ?? served.decision.obligations
    shown.add(indexes[nth] ?? 0, shownBy)
  }
  const [before, after] = around(list, raw, show)
  return { body: shown.done(before, after), total: indexes.length }
}

/** What goes before and after the list: little, so that it is parsed like any answer. */
function around(
  { body, looked: { answer } }: AnsweredList,
  { start, end }: RawItems,
  show: Show,
): readonly [before: string, after: string] {
  if (answer.at === '') return ['', '']
  const root = parseCloudText(`${body.toString('utf8', 0, start)}[]${body.toString('utf8', end)}`)
  const result = assemble({
    answer,
    root,
    items: [],
    show,
    sides: answer.items.sides.map((side) => sideOfAnswer(root, side)),
    numbers: new Map(),
  })
  return textAround(result, answer.at)
}
