/** The keys of `fleetgate.yaml` about how long things may take and how large they may be. */

import { count, section, size, wait } from './keys.ts'

export function timeouts() {
  return section('How long things may take.', {
    headers: wait('10s', 'A request’s head, from its first byte.'),
    request: wait('5m', 'A whole request with its body.'),
    keep_alive: wait('65s', 'An idle client connection between two requests.'),
    upstream_connect: wait('5s', 'Connecting to the cloud.'),
    upstream_first_byte: wait('60s', 'From the request sent to the head of the cloud’s answer.'),
    upstream_body: wait('30s', 'Between two pieces of an answer that the gate reads.'),
    unread: wait('60s', 'A client that takes nothing of its answer; then it is broken off.'),
    shutdown: wait('10s', 'Requests under way, after a signal to stop.'),
  })
}

export function limits() {
  return section('Sizes; what is larger is refused.', {
    body: size(
      '1MB',
      'A request body that the gate reads. Streamed uploads are not bounded by it.',
    ),
    answer: size('32MB', 'An answer that the gate reads to cut it down.'),
    header: size('16KB', 'A request’s head.'),
    connections: count(10_000, 'Client connections at a time.'),
    unread: size(
      '256MB',
      'Answers in memory that clients have not read yet. No API user has more waiting than is left for the others; then 429, and 503 where nothing is left.',
    ),
  })
}
