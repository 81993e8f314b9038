/** The gate's own log of its doings: one JSON line per message, for people and collectors. */

export type LogLevel = 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, unknown>>

export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>

export type LogOptions = {
  /** Gets each line with its end, e.g. `(line) => process.stderr.write(line)`. */
  write: (line: string) => void
  clock: { now(): number }
}

export function createLog({ write, clock }: LogOptions): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      const head = { level, at: new Date(clock.now()).toISOString(), message }
      write(`${toLine(head, fields)}\n`)
    }
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

/** A log call never throws: fields that JSON cannot hold are named and left out. */
function toLine(head: LogFields, fields: LogFields): string {
  const parts: LogFields[] = [head]
  for (const [key, value] of Object.entries(fields)) {
    const name = key in head ? `field_${key}` : key
    parts.push({ [name]: printable(value) })
  }
  // Line separators and C1 controls pass JSON.stringify but break lines or drive terminals.
  return JSON.stringify(Object.assign({}, ...parts)).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function printable(value: unknown): unknown {
  if (value instanceof Error) return describe(value)
  try {
    return JSON.stringify(value) === undefined ? undefined : value
  } catch {
    return '[unprintable]'
  }
}

function describe(error: Error, depth = 0): string {
  const { cause } = error
  let because = typeof cause === 'string' ? ` (caused by ${cause})` : ''
  if (cause instanceof Error && depth < 4) because = ` (caused by ${describe(cause, depth + 1)})`
  // What does not parse is quoted in the message, whatever it holds.
  const said = error instanceof SyntaxError ? 'does not parse' : error.message
  return `${error.name}: ${said}${because}`
}
