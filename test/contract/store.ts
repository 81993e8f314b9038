/** What every store must do: one suite, run by each driver's own test file. */

import { afterEach, beforeEach, describe } from 'vitest'
import { changesAreTold } from './store-changes.ts'
import { countsAreKept } from './store-counts.ts'
import { namesAreFound } from './store-names.ts'
import { operatorsAreKept, replicasAreKept } from './store-others.ts'
import { tokensAreKept } from './store-tokens.ts'
import { usersAreKept } from './store-users.ts'
import type { Bench, StoreUnderTest } from './store-kit.ts'

/** @param prepare an empty database, made anew for each test */
export function storeContract(name: string, prepare: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a store`, () => {
    let bench: Bench | undefined
    beforeEach(async () => {
      const under = await prepare()
      bench = { under, store: await under.open() }
    })
    afterEach(async () => {
      await bench?.store[Symbol.asyncDispose]()
      await bench?.under[Symbol.asyncDispose]()
      bench = undefined
    })
    const current = () => {
      if (bench === undefined) throw new Error('No test is running.')
      return bench
    }

    tokensAreKept(current)
    usersAreKept(current)
    namesAreFound(current)
    changesAreTold(current)
    operatorsAreKept(current)
    replicasAreKept(current)
    countsAreKept(current)
  })
}
