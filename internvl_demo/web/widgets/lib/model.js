// Which of the page's models a person talks to: chosen in the head, kept in this browser.
//
//     await lookAtModel(signal)      // GET api/model of the chosen one; the host may have taken it away since
//     modelField()                   // { model: 'mini-2b' }, sent with each question; {} where there is only one
import { call } from './api.js'
import { page } from './state.js'
import { read, write } from './settings.js'

const KEY = 'internvl-model'
const UNKNOWN = 422
let chosen = read(KEY) // null: the page's first

export async function lookAtModel(signal) {
  try {
    return await call('GET', chosen === null ? 'api/model' : `api/model?id=${encodeURIComponent(chosen)}`, undefined, signal)
  } catch (problem) {
    if (chosen === null || problem.status !== UNKNOWN) throw problem
    keep(null)
    return call('GET', 'api/model', undefined, signal)
  }
}

// A model that nobody has asked for yet begins to load.
export async function chooseModel(model) {
  keep(model.id)
  if (model.state.kind === 'idle') await call('POST', 'api/model/load', { model: model.id })
}

export function modelField() {
  return page.model?.models.length > 1 ? { model: page.model.id } : {}
}

function keep(id) {
  chosen = id
  write(KEY, id)
}
