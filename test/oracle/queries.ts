/** Random questions to the device list: pages, filters and orders as clients send them. */

import { fc } from '../kit/fc.ts'
import { groupNames } from './fleets.ts'

export type ListQuery = {
  /** As the path names the product: id or slug. */
  product: string
  sizeKey: 'perPage' | 'per_page'
  size: number | undefined
  filters: Readonly<Record<string, string>>
}

export function listQueries(hasNulls: boolean): fc.Arbitrary<ListQuery> {
  return fc.record({
    product: fc.oneof(
      { weight: 8, arbitrary: fc.constant('12345') },
      { weight: 2, arbitrary: fc.constant('12346') },
      { weight: 1, arbitrary: fc.constant('67890') },
      { weight: 1, arbitrary: fc.constant('thermostat-v1') },
    ),
    sizeKey: fc.constantFrom('perPage', 'per_page'),
    size: pageSizes(),
    filters: fc.oneof(
      { weight: 4, arbitrary: filters(hasNulls) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(filters(hasNulls), filters(hasNulls))
          .map(([one, other]) => ({ ...one, ...other })),
      },
    ),
  })
}

function filters(hasNulls: boolean): fc.Arbitrary<Record<string, string>> {
  // An order over nulls is not one order: the simulated cloud's own hangs on what else is in the list.
  const keys = [
    'deviceId',
    'deviceName',
    'lastConnection',
    ...(hasNulls ? [] : ['firmwareVersion']),
  ]
  const orders = fc.tuple(fc.constantFrom(...keys), fc.constantFrom('asc', 'desc', undefined))
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    {
      weight: 2,
      arbitrary: fc
        .subarray(groupNames, { minLength: 1, maxLength: 3 })
        .map((groups) => ({ groups: groups.join(',') })),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom('lobby', 'obby', 'cellar-1', 'roof-1', '-', 'none')
        .map(only('deviceName')),
    },
    { weight: 1, arbitrary: fc.constantFrom('e00fce68', '4200', '7', 'AB').map(only('deviceId')) },
    { weight: 1, arbitrary: fc.constantFrom('00001', '9', 'P12').map(only('serialNumber')) },
    { weight: 1, arbitrary: fc.constantFrom('true', 'false').map(only('quarantined')) },
    {
      weight: 2,
      arbitrary: orders.map(([sortAttr, sortDir]) => ({
        sortAttr,
        ...(sortDir !== undefined && { sortDir }),
      })),
    },
  )
}

function only(key: string): (value: string) => Record<string, string> {
  return (value) => ({ [key]: value })
}

/** The query string of one page; without `page` and sizes where they are absent. */
export function searchOf(query: ListQuery, page?: number): string {
  const search = new URLSearchParams(query.filters)
  if (query.size !== undefined) search.set(query.sizeKey, String(query.size))
  if (page !== undefined) search.set('page', String(page))
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}

/** How many items a client asks for on a page, if it says. */
export function pageSizes(): fc.Arbitrary<number | undefined> {
  return fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined })
}
