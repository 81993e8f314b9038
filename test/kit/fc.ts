/** fast-check from one seed in every run: a property fails today or not at all. Whoever looks for more begins elsewhere, by `TEST_SEED`. */

import { configureGlobal, readConfigureGlobal } from 'fast-check'
import { firstSeed } from './first-seed.ts'

configureGlobal({ ...readConfigureGlobal(), seed: firstSeed })

export { default as fc } from 'fast-check'
