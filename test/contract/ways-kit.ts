/** What the contract of the two ways is told in. */

import type { Rig } from '../kit/exchange-rig.ts'
import type { RecordingUpstream } from '../kit/recording-upstream.ts'

/** Started before the first test; read it inside tests only. */
export type WayUnderTest = { up: RecordingUpstream; rig: Rig }

export const get = (headers = '', method = 'GET') =>
  `${method} /v1/devices?a=b HTTP/1.1\r\nHost: gate\r\n${headers}Connection: close\r\n\r\n`

export const post = (body: string, headers = '') =>
  `POST /v1/x HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\n${headers}` +
  `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
