/** An electricity-meter cloud of ten routes, as somebody's own API might be: nothing in it knows of fleetgate. */

import express, { type Express, type Request, type Response } from 'express'
import type { Fleet, Meter } from './fleet.ts'

export function createApi(fleet: Fleet, token: string): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('case sensitive routing', true)
  app.use((request, response, next) => {
    if (request.headers.authorization === `Bearer ${token}`) next()
    else response.status(401).json({ code: 'unauthorized', message: 'Who are you?' })
  })
  app.use(express.json())

  app.get('/tenants/:tenant', (request, response) => {
    const tenant = fleet.tenants.get(request.params.tenant)
    if (tenant === undefined) return absent(response, 'tenant')
    response.json(tenant)
  })
  app.get('/tenants/:tenant/sites', (request, response) => {
    const { tenant } = request.params
    if (!fleet.tenants.has(tenant)) return absent(response, 'tenant')
    response.json({ sites: [...fleet.sites.values()].filter((site) => site.tenant === tenant) })
  })
  app.get('/sites/:site', (request, response) => {
    const site = fleet.sites.get(request.params.site)
    if (site === undefined) return absent(response, 'site')
    response.json(site)
  })
  app.get('/sites/:site/meters', (request, response) => {
    const { tag, page = '1', size = '2' } = request.query
    const all = [...fleet.meters.values()].filter(
      (meter) =>
        meter.site === request.params.site && (typeof tag !== 'string' || meter.tags.includes(tag)),
    )
    const from = (Number(page) - 1) * Number(size)
    response.json({ meters: all.slice(from, from + Number(size)).map(present), total: all.length })
  })
  app.get('/sites/:site/meters/:meter', (request, response) => {
    const meter = meterOf(fleet, request)
    if (meter === undefined) return absent(response, 'meter')
    response.json(present(meter))
  })
  app.get('/meters/:meter', (request, response) => {
    const { meter: asked } = request.params
    const meter =
      fleet.meters.get(asked) ?? [...fleet.meters.values()].find(({ serial }) => serial === asked)
    if (meter === undefined) return absent(response, 'meter')
    response.json(present(meter))
  })
  app.patch('/sites/:site/meters/:meter', (request, response) => {
    const meter = meterOf(fleet, request)
    if (meter === undefined) return absent(response, 'meter')
    const { label, tags, limit_watts } = bodyOf(request)
    if (typeof label === 'string') meter.label = label
    if (Array.isArray(tags)) meter.tags = tags.map(String)
    if (typeof limit_watts === 'number') meter.limit_watts = limit_watts
    response.json(present(meter))
  })
  app.post('/sites/:site/meters/:meter/relays/:relay', (request, response) => {
    const meter = meterOf(fleet, request)
    const { relay } = request.params
    if (meter === undefined || meter.relays[relay] === undefined) return absent(response, 'relay')
    const { state } = bodyOf(request)
    meter.relays[relay] = state === 'on' ? 'on' : 'off'
    response.json({ relay, state: meter.relays[relay] })
  })
  app.get('/sites/:site/meters/:meter/readings/:reading', (request, response) => {
    const meter = meterOf(fleet, request)
    if (meter === undefined) return absent(response, 'meter')
    response.json({ reading: request.params.reading, value: meter.connected ? 230 : null })
  })
  app.put('/sites/:site/meters/:meter/firmware', (request, response) => {
    const meter = meterOf(fleet, request)
    if (meter === undefined) return absent(response, 'meter')
    let bytes = 0
    request.on('data', (piece: Buffer) => (bytes += piece.length))
    request.on('end', () => response.status(202).json({ bytes }))
  })
  app.use((_request, response) => absent(response, 'route'))
  return app
}

/** Fields that a meter has on the wire; the install code is among them, as in many a cloud. */
function present({ relays: _relays, ...meter }: Meter): Omit<Meter, 'relays'> {
  return meter
}

function meterOf(
  fleet: Fleet,
  { params }: Request<{ site: string; meter: string }>,
): Meter | undefined {
  const meter = fleet.meters.get(params.meter)
  return meter?.site === params.site ? meter : undefined
}

function bodyOf({ body }: Request): Record<string, unknown> {
  return typeof body === 'object' && body !== null ? body : {}
}

function absent(response: Response, what: string): void {
  response.status(404).json({ code: 'absent', message: `No such ${what}.` })
}
