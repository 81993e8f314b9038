/** What a failure to open the SQLite file means to who reads it: which key, which file, and what to do. */

import { StoreUnusable } from '../sql/rows.ts'

/** SQLite's primary result codes. */
const readOnly = 8
const cannotOpen = 14
const notADatabase = 26

/** At the start somebody reads it. What knows what to do already is left as it is. */
export function toOpeningError(error: unknown, path: string): unknown {
  if (error instanceof StoreUnusable) return error
  const says = saidBy(error)
  if (says === undefined) return error
  const message = `The store ${path} ("store" in the configuration) cannot be opened: ${says}`
  return new StoreUnusable(message, { cause: error })
}

function saidBy(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const said = error.message
  switch (resultOf(error)) {
    case notADatabase:
      return `${said}. It was left as it is; set "store" to a file of its own.`
    case cannotOpen:
    case readOnly:
      return `${said}. The user that runs this must be able to write the file and its folder.`
    default:
      break
  }
  const code = 'code' in error ? error.code : undefined
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return `${said}. The user that runs this must be able to write the file and its folder.`
  }
  return `${said}. Set "store" to a file on a local disk with room, in a folder that this user owns.`
}

function resultOf(error: Error): number | undefined {
  const { cause } = error
  if (!(cause instanceof Error) || !('errcode' in cause)) return undefined
  return typeof cause.errcode === 'number' ? cause.errcode & 0xff : undefined
}
