/** `when`: the days and hours in which a rule holds, on the wall clock of its zone. */

import type { Hours } from '../domain/grant.ts'
import { nearest } from '../lib/nearest.ts'
import { DAYS, whenKeys } from './policy-shape.ts'
import { decodeKeys, mistakeAt, within, type Part, type Report } from './report.ts'
import { toDateMs } from './scalars.ts'

const DAY_MS = 86_400_000

export function readHours(part: Part, report: Report): Hours | undefined {
  const when = decodeKeys(whenKeys, part, report)
  if (when === undefined) return undefined
  if (when.days === undefined && when.hours === undefined && when.not_on === undefined) {
    mistakeAt(report, part, 'when says nothing; give it days, hours or not_on')
  }
  const zone = readZone(part, when.zone, report)
  const days = when.days?.flatMap((word) => readDays(within(part, 'days'), word, report))
  const hours = when.hours === undefined ? undefined : toWindow(when.hours)
  if (hours !== undefined && hours.from === hours.to) {
    mistakeAt(report, within(part, 'hours'), 'the window is empty; 00:00-24:00 is the whole day')
  }
  for (const date of when.not_on ?? []) {
    if (toDateMs(date) === undefined) {
      mistakeAt(report, within(part, 'not_on'), `"${date}" is no date`)
    }
  }
  return {
    ...(days === undefined ? {} : { days: [...new Set(days)].toSorted((a, b) => a - b) }),
    ...(hours === undefined ? {} : { hours }),
    zone,
    ...(when.not_on === undefined ? {} : { notOn: when.not_on.toSorted() }),
  }
}

function readZone(part: Part, zone: string | undefined, report: Report): string {
  if (zone === undefined) {
    mistakeAt(report, part, 'when needs a zone, for example Europe/Berlin or UTC')
    return 'UTC'
  }
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
  } catch {
    const near = nearest(zone, Intl.supportedValuesOf('timeZone'))
    const hint = near === undefined ? '' : `; did you mean "${near}"?`
    mistakeAt(report, within(part, 'zone'), `"${zone}" is no time zone${hint}`)
    return 'UTC'
  }
}

function readDays(part: Part, word: string, report: Report): number[] {
  const [first = '', last = first] = word.split('-')
  const from = DAYS.findIndex((day) => day === first)
  const to = DAYS.findIndex((day) => day === last)
  if (from < 0 || to < 0) {
    mistakeAt(report, part, `"${word}" is no day; use ${DAYS.join(' ')} or a range such as mon-fri`)
    return []
  }
  const span = ((to - from + 7) % 7) + 1
  return Array.from({ length: span }, (_, step) => (from + step) % 7)
}

function toWindow(text: string): { from: number; to: number } {
  const [from = '', to = ''] = text.split('-')
  const minutes = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3))
  return { from: minutes(from), to: minutes(to) }
}

/** Wall clocks by zone: dear to make and to read, shared by all grants of an engine. */
export type Zones = Map<string, WallClock>
type WallClock = { formatter: Intl.DateTimeFormat; minute: number; local: LocalTime }
/** The local date as 00:00 UTC of the same name, so that days are counted without daylight saving. */
type LocalTime = { dayMs: number; minute: number }

/** Whether `atMs` lies inside. A window over midnight belongs to the day on which it began. */
export function isWithin(hours: Hours, atMs: number, zones: Zones): boolean {
  const local = localTime(atMs, hours.zone, zones)
  const { from, to } = hours.hours ?? { from: 0, to: 1440 }
  if (from < to) {
    return local.minute >= from && local.minute < to && isDay(hours, local.dayMs)
  }
  if (local.minute >= from) return isDay(hours, local.dayMs)
  return local.minute < to && isDay(hours, local.dayMs - DAY_MS)
}

function isDay(hours: Hours, dayMs: number): boolean {
  const date = new Date(dayMs)
  if (hours.days !== undefined && !hours.days.includes(date.getUTCDay())) return false
  return hours.notOn?.includes(date.toISOString().slice(0, 10)) !== true
}

/** Read once a minute and zone: every item of a list asks for the same one. */
function localTime(atMs: number, zone: string, zones: Zones): LocalTime {
  const minute = Math.floor(atMs / 60_000)
  let clock = zones.get(zone)
  if (clock?.minute === minute) return clock.local
  const formatter = clock?.formatter ?? formatterOf(zone)
  clock = { formatter, minute, local: readClock(formatter, atMs) }
  zones.set(zone, clock)
  return clock.local
}

function readClock(formatter: Intl.DateTimeFormat, atMs: number): LocalTime {
  const parts: Partial<Record<string, number>> = {}
  for (const { type, value } of formatter.formatToParts(atMs)) parts[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts
  return { dayMs: Date.UTC(year, month - 1, day), minute: hour * 60 + minute }
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-CA-u-ca-gregory-nu-latn', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  })
}
