/** What a command may touch of the world around it, and how it ends. */

import type { Environment } from '../config/secret-source.ts'
import type { Clock } from '../domain/clock.ts'

/** 0: fine. 1: a finding, e.g. a mistake in a file, or a call that is denied. 2: the command was not understood. */
export type ExitCode = 0 | 1 | 2

export type Io = {
  /** One line or more for the caller, to standard output. */
  out(text: string): void
  /** The same for what is not the command's result, to standard error. */
  err(text: string): void
  env: Environment
  clock: Clock
  readStdin(): Buffer
  onSignal(name: 'SIGINT' | 'SIGTERM' | 'SIGHUP', handler: () => void): void
}

/** The command was understood, and its answer is no. Nothing more is printed. */
export class Finding extends Error {
  override readonly name = 'Finding'
}

/** The command makes no sense as it was given; the message says what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export function json(value: unknown): string {
  return visible(JSON.stringify(value, undefined, 2), /[^\P{C}\n]/gu)
}

/** In one line, and nothing in it that a terminal obeys or nobody sees: it may be somebody else's words. */
export function visible(text: string, hidden = /\p{C}/gu): string {
  const escape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  return text.replace(hidden, (found) => found.split('').map(escape).join(''))
}

/** Resolves at the first signal to stop. */
export function stopSignal(io: Io): Promise<void> {
  return new Promise((resolve) => {
    io.onSignal('SIGINT', resolve)
    io.onSignal('SIGTERM', resolve)
  })
}

/** `1 mistake`, `2 mistakes`. */
export function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}

/** Columns as wide as their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map((cell) => visible(cell)))
  const width = (i: number) => shown.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), 0)
  const widths = head.map((cell, i) => Math.max(cell.length, width(i)))
  return [head, ...shown]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** `2027-03-01 00:00 UTC`. */
export function time(atMs: number | undefined, none: string): string {
  return atMs === undefined
    ? none
    : `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
