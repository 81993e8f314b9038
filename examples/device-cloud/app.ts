/** The express app: common headers, bodies, the open routes, the token, then every other route. */
import { randomUUID } from 'node:crypto'
import express from 'express'
import type { ErrorRequestHandler, Express, RequestHandler } from 'express'
import { authenticate } from './access.ts'
import { readBodies } from './bodies.ts'
import type { Context } from './context.ts'
import { failed, Refusal } from './refusals.ts'
import { accountRoutes, openRoutes } from './routes/accounts.ts'
import { deviceChangeRoutes } from './routes/device-changes.ts'
import { deviceRoutes } from './routes/devices.ts'
import { eventRoutes } from './routes/events.ts'
import { firmwareRoutes } from './routes/firmware.ts'
import { groupRoutes } from './routes/groups.ts'
import { ledgerRoutes } from './routes/ledgers.ts'
import { organizationRoutes } from './routes/organizations.ts'
import { productDataRoutes } from './routes/product-data.ts'
import { simRoutes } from './routes/sims.ts'
import { simulatorRoutes } from './routes/simulator.ts'
import { teamRoutes } from './routes/team.ts'
import { telemetryRoutes } from './routes/telemetry.ts'
import type { World } from './state.ts'

export function createApp(context: Context): Express {
  const app = express()
  app.disable('x-powered-by')
  // Nested keys and groups[]=a&groups[]=b, in queries as in forms.
  app.set('query parser', 'extended')
  app.use(context.traffic.handle, commonHeaders, answerPreflight, ...readBodies())
  app.use(noteChange(context.world))
  app.use(simulatorRoutes(context))
  app.use(openRoutes(context))
  app.use('/v1', authenticate(context.tokens))
  // Events come first: /v1/devices/events is no device, and .../events no variable.
  app.use(eventRoutes(context))
  app.use(deviceRoutes(context), deviceChangeRoutes(context))
  app.use(organizationRoutes(context), groupRoutes(context), firmwareRoutes(context))
  app.use(productDataRoutes(context), simRoutes(context), telemetryRoutes(context))
  app.use(ledgerRoutes(context), teamRoutes(context), accountRoutes(context))
  app.use(() => {
    throw failed(404, 'Not found')
  })
  app.use(answerErrors)
  return app
}

const commonHeaders: RequestHandler = (_request, response, next) => {
  response.set({
    Server: 'nginx',
    'Access-Control-Allow-Origin': '*',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': randomUUID(),
    'X-Simulator': 'fleetgate device-cloud',
    Vary: 'Accept-Encoding',
  })
  next()
}

/** Every other method may change something, and what does so does it in this turn. */
function noteChange(world: World): RequestHandler {
  return (request, _response, next) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') world.touch()
    next()
  }
}

const answerPreflight: RequestHandler = (request, response, next) => {
  if (request.method !== 'OPTIONS') {
    next()
    return
  }
  response.set({
    'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
    'Access-Control-Allow-Headers': 'Authorization, Content-Type, Accept',
  })
  response.status(204).end()
}

// Express tells an error handler by its four parameters.
const answerErrors: ErrorRequestHandler = (error: unknown, _request, response, _next) => {
  const refusal = refusalOf(error)
  response.status(refusal.status).set(refusal.headers).json(refusal.body)
}

/** Broken bodies and paths are the caller's fault and known by their status; the rest is ours. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  const status = Number((Object(error) as { status?: unknown }).status)
  if (status >= 400 && status < 500) return failed(status, String((error as Error).message))
  process.stderr.write(`device-cloud: ${error instanceof Error ? error.stack : String(error)}\n`)
  return failed(500, 'Internal server error')
}
