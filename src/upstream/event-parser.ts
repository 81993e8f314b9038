/** Bytes of an event stream to events, by the grammar of the HTML standard, in bounded memory. */

import { createParser } from 'eventsource-parser'

/** One event as the cloud sent it; several data lines are joined by a line feed. */
export type EventMessage = { name: string; data: string }

export type EventParser = {
  /** Calls back for each event that is whole. @throws EventStreamFault; nothing may be fed after it */
  feed(chunk: Uint8Array): void
}

/** The stream cannot be read any further: an event has no end. */
export class EventStreamFault extends Error {
  override readonly name = 'EventStreamFault'
}

/** What is dropped of one event at most, in largest events: who keeps on for longer never comes to another. */
const endless = 16

/** Of a line that is not whole the parser holds the field's name as well; the longest is `event: `. */
const fieldBytes = 7

/**
 * An event that is too large is dropped as it comes, up to its end, and what follows is read as ever.
 * @param maxBytes of one event, name and data; characters are counted, of which no byte makes more than one
 * @param onTooLarge once for each event that is dropped
 */
export function createEventParser(
  maxBytes: number,
  onEvent: (message: EventMessage) => void,
  onTooLarge: () => void,
): EventParser {
  // As the grammar says: bytes that are no UTF-8 become U+FFFD, so that one odd event of one device ends nobody's
  // stream. The parser takes one byte order mark off; the decoder must not take another.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  // A name that another replaces comes on top of the data.
  const maxHeld = 2 * maxBytes + fieldBytes
  /** At least as much as the parser holds of an event that is not whole yet. */
  let held = 0
  /** The last character that was read. */
  let last = ''
  let overflowed = false
  let dropping: Dropped | undefined
  let fault: EventStreamFault | undefined
  const parser = createParser({
    maxBufferSize: maxHeld,
    onEvent({ event = 'message', data }) {
      if (event.length + data.length > maxBytes) onTooLarge()
      else onEvent({ name: event, data })
    },
    onError({ type }) {
      // Unknown fields and odd `retry` values are ignored, as the grammar says.
      if (type === 'max-buffer-size-exceeded') overflowed = true
    },
  })

  /** Line by line, so that it is known where in the text an event becomes too large. */
  function feedLines(text: string): void {
    let at = 0
    while (at < text.length) {
      if (dropping !== undefined) {
        at = drop(dropping, text, at)
        continue
      }
      const end = endOfLine(text, at)
      const line = text.slice(at, end)
      at = end
      held = isBlank(line, last) ? 0 : held + line.length
      last = line.at(-1) ?? ''
      parser.feed(line)
      if (overflowed) dropping = beginDropping(line.length)
    }
  }

  function beginDropping(length: number): Dropped {
    overflowed = false
    held = 0
    // Only the first bytes of a stream may be a byte order mark.
    parser.reset()
    parser.feed('\n')
    onTooLarge()
    return { length, lineIs: isBreak(last) ? 'empty' : 'begun' }
  }

  /** @returns where in the text the event's end is */
  function drop(dropped: Dropped, text: string, from: number): number {
    for (let at = from; at < text.length; at += 1) {
      const char = text.charAt(at)
      const paired = char === '\n' && last === '\r'
      last = char
      if (paired) continue
      if (!isBreak(char)) dropped.lineIs = 'begun'
      else if (dropped.lineIs === 'begun') dropped.lineIs = 'empty'
      else {
        dropping = undefined
        return at + 1
      }
    }
    dropped.length += text.length - from
    if (dropped.length > endless * maxBytes) fault = new EventStreamFault('an event has no end')
    return text.length
  }

  function requireSound(): void {
    if (fault !== undefined) throw fault
  }

  return {
    feed(chunk) {
      requireSound()
      const text = decoder.decode(chunk, { stream: true })
      if (dropping === undefined && held + text.length <= maxHeld) {
        parser.feed(text)
        held = text.endsWith('\n\n') ? 0 : held + text.length
        last = text.at(-1) ?? last
      } else feedLines(text)
      requireSound()
    },
  }
}

/** An event on its way out: how much of it has gone by, and whether the line it stands in has anything in it yet. */
type Dropped = { length: number; lineIs: 'begun' | 'empty' }

/** Behind the line's end, or the end of the text. */
function endOfLine(text: string, from: number): number {
  const lineEnd = /\r\n?|\n/g
  lineEnd.lastIndex = from
  return lineEnd.test(text) ? lineEnd.lastIndex : text.length
}

function isBreak(char: string): boolean {
  return char === '\n' || char === '\r'
}

/** Nothing but a line's end, and not the second half or the end of what was read before. */
function isBlank(line: string, before: string): boolean {
  if (line !== '\r\n' && !isBreak(line)) return false
  return before === '\n' || (before === '\r' && line !== '\n')
}
