/** Runs the contract of the two ways to the upstream through each of them. */

import { waysContract } from './ways.ts'

waysContract('small')
waysContract('streaming')
