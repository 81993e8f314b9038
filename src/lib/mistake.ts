/** A finding in a file that a person wrote: where, what, and the way out. */

export type Mistake = { file: string; line: number; column: number; message: string }

/** All mistakes of one load, sorted by place. Thrown so that nothing half-loaded can be used. */
export class Mistakes extends Error {
  override readonly name = 'Mistakes'
  readonly list: readonly Mistake[]

  constructor(list: readonly Mistake[]) {
    const sorted = [...list].sort(
      (a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column,
    )
    super(sorted.map(formatMistake).join('\n'))
    this.list = sorted
  }
}

/** `policies/fleet.yaml:12:13  unknown action "raed"; did you mean "read"?` */
export function formatMistake({ file, line, column, message }: Mistake): string {
  return `${file}:${line}:${column}  ${message}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
