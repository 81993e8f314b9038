/** Bytes of an event stream to events, by the grammar of the HTML standard, in bounded memory. */

import { createParser } from 'eventsource-parser'

/** One event as the cloud sent it; several data lines are joined by a line feed. */
export type EventMessage = { name: string; data: string }

export type EventParser = {
  /** Calls back for each event that is whole. @throws EventStreamFault; nothing may be fed after it */
  feed(chunk: Uint8Array): void
}

/** The stream cannot be read any further: what follows could be taken for something else. */
export class EventStreamFault extends Error {
  override readonly name = 'EventStreamFault'
}

/** @param maxBytes of one event, name and data; characters are counted, of which no byte makes more than one */
export function createEventParser(
  maxBytes: number,
  onEvent: (message: EventMessage) => void,
): EventParser {
  // As the grammar says: bytes that are no UTF-8 become U+FFFD, so that one odd event of one device ends nobody's
  // stream. The parser takes one byte order mark off; the decoder must not take another.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let fault: EventStreamFault | undefined
  const parser = createParser({
    maxBufferSize: maxBytes,
    onEvent({ event = 'message', data }) {
      // The parser bounds what it keeps; an event that came in one piece was never kept.
      if (event.length + data.length > maxBytes) fault ??= tooLarge()
      if (fault === undefined) onEvent({ name: event, data })
    },
    onError({ type }) {
      // Unknown fields and odd `retry` values are ignored, as the grammar says.
      if (type === 'max-buffer-size-exceeded') fault ??= tooLarge()
    },
  })

  function requireSound(): void {
    if (fault !== undefined) throw fault
  }

  return {
    feed(chunk) {
      requireSound()
      parser.feed(decoder.decode(chunk, { stream: true }))
      requireSound()
    },
  }
}

function tooLarge(): EventStreamFault {
  return new EventStreamFault('an event is too large')
}
