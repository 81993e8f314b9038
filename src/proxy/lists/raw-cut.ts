/** Cuts answers of the small way: of a list whose items all pass alike by copying bytes, of anything else parsed. */

import type { AnswerSpec } from '../../domain/catalog.ts'
import { CloudJsonFault, parseCloudText } from '../../lib/cloud-json.ts'
import type { UpstreamAnswer } from '../../upstream/upstream.ts'
import { cutAnswer, emptySides, stripKeys, strippedKeys } from '../cut.ts'
import type { Cut } from '../exchange.ts'
import { textAround } from './assemble.ts'
import { readRawItems, type RawItems } from './raw-items.ts'
import { RawShow } from './raw-show.ts'
import { isStripped } from './show.ts'

type List = Extract<AnswerSpec, { kind: 'list' }>

/**
 * The body to send on. `whole` is the upstream's own, untouched.
 * @throws Problem `unfilterable_answer`
 */
export function cutQuickly(answer: UpstreamAnswer, cut: Cut): ReturnType<typeof cutAnswer> {
  const body = cutRaw(answer, cut)
  return body === undefined ? cutAnswer(answer, cut) : { mode: 'cut', body }
}

/** `undefined`: it is not to be cut, or must be parsed for it. */
function cutRaw(
  { status, headers, body }: UpstreamAnswer,
  { answer, obligations }: Cut,
): Buffer | undefined {
  if (status !== 200 || answer.kind !== 'list' || obligations.items === 'each') return undefined
  const keep = obligations.answer
  const strip = strippedKeys(obligations, answer.secrets)
  if (keep === undefined && strip.size === 0) return undefined
  if (!isApart(answer) || isStripped(answer.at, strip)) return undefined
  const raw = rawItemsOf(headers['content-type'], body, answer.at)
  if (raw === undefined) return undefined

  const cutAll = { keep, strip, open: [] }
  const shown = new RawShow(raw, { cutOf: () => cutAll, speak: () => undefined }, [])
  for (let index = 0; index < raw.length; index += 1) shown.add(index, obligations)
  if (answer.at === '') return shown.done('', '')
  const around = `${body.toString('utf8', 0, raw.start)}[]${body.toString('utf8', raw.end)}`
  const root = parseCloudText(around)
  stripKeys(root, strip)
  emptySides(root, answer.items?.sides ?? [], keep, strip)
  const [before, after] = textAround(root, answer.at)
  return shown.done(before, after)
}

/** True where the list stands at a key of the root, or is all of it, and nothing else that is cut stands within. */
function isApart({ at, items }: List): boolean {
  if (at.includes('.')) return false
  return (items?.sides ?? []).every((side) => at !== '' && side.at.split('.', 1)[0] !== at)
}

function rawItemsOf(
  contentType: string | undefined,
  body: Buffer,
  at: string,
): RawItems | undefined {
  try {
    return readRawItems(contentType, body, at)
  } catch (error) {
    // To refuse it is for who parses.
    if (error instanceof CloudJsonFault) return undefined
    throw error
  }
}
