/** Who changes something by a command: it stands beside the change. */

import { userInfo } from 'node:os'

/** `cli:NAME` of the account that runs the command; its number where the system has no name for it. */
export function author(): string {
  try {
    return `cli:${userInfo().username}`
  } catch {
    return `cli:uid-${process.getuid?.() ?? 'unknown'}`
  }
}
