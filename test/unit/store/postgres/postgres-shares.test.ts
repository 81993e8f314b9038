import { expect, it } from 'vitest'
import { sharesOf } from '../../../../src/store/postgres/postgres-shares.ts'

it.each([
  [1, { lookUps: 0, others: 1 }],
  [3, { lookUps: 0, others: 1 }],
  [4, { lookUps: 1, others: 1 }],
  [10, { lookUps: 5, others: 3 }],
  [100, { lookUps: 65, others: 33 }],
])('of %i connections, two hear and look, and a third of the rest is kept free', (all, shares) => {
  expect(sharesOf(all)).toEqual(shares)
})
