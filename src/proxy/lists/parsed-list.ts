/** Shows a list by parsing the whole answer and cutting it in place. */

import type { ResourceSpec } from '../../domain/catalog.ts'
import { parseCloudJson, valueAtPath, type JsonObject } from '../../lib/cloud-json.ts'
import { assemble, sideOfAnswer } from './assemble.ts'
import { toText } from './body.ts'
import { itemsOfAnswer } from './items.ts'
import type { Look, Looked } from './look.ts'
import { createShow } from './show.ts'

/** The cloud's answer, and for whom it is cut. */
export type AnsweredList = {
  contentType: string | undefined
  body: Buffer
  looked: Looked
  /** What its items are or belong to. */
  resource: ResourceSpec
}

/** `total`: items that are shown. */
export type ShownList = { body: Buffer; total: number }

/** @throws CloudJsonFault, Problem `unfilterable_answer` */
export async function showParsed(look: Look, list: AnsweredList): Promise<ShownList> {
  const { contentType, body, looked, resource } = list
  const { answer, served } = looked
  const { decision } = served
  const root = parseCloudJson(contentType, body)
  const items = itemsOfAnswer(valueAtPath(root, answer.at), answer.items, resource)
  const { indexes, kinds, obligations } = await look.among(looked, items)
  const show = createShow(answer, answer.secrets, decision.obligations)
  const shown: JsonObject[] = []
  for (let nth = 0; nth < indexes.length; nth += 1) {
    const shownBy = obligations[kinds[nth] ?? 0] ?? decision.obligations
    shown.push(show.item(items.itemAt(indexes[nth] ?? 0), shownBy))
  }
  const result = assemble({
    answer,
    root,
    items: shown,
    show,
    sides: answer.items.sides.map((side) => sideOfAnswer(root, side)),
    numbers: new Map(),
  })
  return { body: Buffer.from(toText(result)), total: shown.length }
}
