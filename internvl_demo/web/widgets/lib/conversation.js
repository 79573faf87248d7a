// A conversation as a value: events of the server in, the next value out. Nothing here asks, draws or remembers.
//
//     const { conversation, detail } = apply(conversation, 'answer.delta', { answer: ID, text: 'and ' })
//     detail  // { answer: ANSWER after it, change: 'delta', text: 'and ' }; null when the whole thing is new

const NOTHING = { text: '', blocks: [], length: 0, seconds: 0 }
export const NEW = { id: null, title: '', questions: [], running: null }

export function answerById(conversation, id) {
  return conversation?.questions.flatMap((question) => question.answers).find((answer) => answer.id === id) ?? null
}

export function runningAnswer(conversation) {
  return conversation?.running ? answerById(conversation, conversation.running) : null
}

// Of a question's answers the one that is shown: the one that comes, else the chosen one, else the last.
export function answerShown(conversation, question) {
  const byId = (id) => id && question.answers.find((answer) => answer.id === id)
  return byId(conversation.running) || byId(question.chosen) || question.answers.at(-1) || null
}

// Whether anything has come of an answer: of its text, or of the thinking before it.
export function hasBegun(answer) {
  return Boolean(answer.text || answer.thinking)
}

// The versions that one can choose among: of the last question, those that say something.
export function versions(conversation, question) {
  if (question !== conversation.questions.at(-1)) return []
  const there = question.answers.filter(hasBegun)
  return there.length > 1 ? there : []
}

// Every image of the conversation, the first numbered 1.
export function imagesOf(conversation) {
  return conversation?.questions.flatMap((question) => question.images) ?? []
}

// How much of the answer's text its blocks cover.
export function covered(answer) {
  return answer.length ?? (answer.blocks.length ? answer.text.length : 0)
}

export function apply(conversation, name, data) {
  if (name === 'conversation') return { conversation: data, detail: null }
  const grow = CHANGES[name]
  const before = grow && answerById(conversation, data.answer)
  if (!before) return { conversation, detail: undefined }
  const answer = { ...before, ...grow(before, data) }
  const { answer: _, ...rest } = data
  return { conversation: withAnswer(conversation, answer), detail: { ...rest, answer, change: name.slice('answer.'.length) } }
}

const CHANGES = {
  'answer.place': (answer, { place }) => ({ place }),
  'answer.thinking': ({ thinking }, { text, seconds }) => ({ thinking: { ...(thinking ?? NOTHING), text: (thinking?.text ?? '') + text, seconds }, place: 0 }),
  'answer.thinking.block': ({ thinking }, block) => ({ thinking: { ...(thinking ?? NOTHING), ...blocksWith(thinking ?? NOTHING, block) } }),
  'answer.delta': (answer, { text }) => ({ text: answer.text + text, place: 0 }),
  'answer.box': (answer, { answer: _, ...box }) => ({ boxes: [...answer.boxes, box] }),
  'answer.block': blocksWith,
  'answer.done': (answer, { state, receipt }) => ({ state, receipt, ...thoughtOver(answer, receipt) }),
  'answer.failed': (answer, { state, what, next_step, details, receipt }) => ({ state: state ?? 'broken', receipt, ...thoughtOver(answer, receipt), failure: { what, next_step, details } }),
}

function blocksWith({ blocks }, { index, html, length }) {
  return { blocks: [...blocks.slice(0, index), html], length } // later ones come again
}

function thoughtOver({ thinking }, receipt) {
  return { thinking: thinking && { ...thinking, seconds: receipt?.thought_s ?? thinking.seconds } }
}

function withAnswer(conversation, answer) {
  const over = answer.state !== 'running'
  return {
    ...conversation,
    running: over && conversation.running === answer.id ? null : conversation.running,
    questions: conversation.questions.map((question) => {
      if (!question.answers.some((one) => one.id === answer.id)) return question
      const answers = question.answers.map((one) => (one.id === answer.id ? answer : one))
      return { ...question, answers, chosen: over && hasBegun(answer) ? answer.id : question.chosen }
    }),
  }
}

// What the server will tell in a moment, so that the page shows it at once.

function begun(id) {
  return { id, state: 'running', text: '', blocks: [], length: 0, boxes: [], thinking: null, place: 0, model: '', receipt: null, failure: null }
}

export function asked(conversation, ids, text, images) {
  const before = conversation ?? { ...NEW, id: ids.conversation, title: text }
  const first = imagesOf(before).length + 1
  const numbered = images.map((image, index) => ({ ...image, number: first + index }))
  const question = { id: ids.question, text, images: numbered, answers: [begun(ids.answer)], chosen: null, siblings: [ids.question] }
  return { ...before, id: ids.conversation, running: ids.answer, questions: [...before.questions, question] }
}

export function askedAgain(conversation, ids) {
  const questions = conversation.questions.map((question) => (
    question.id === ids.question ? { ...question, answers: [...question.answers, begun(ids.answer)] } : question))
  return { ...conversation, running: ids.answer, questions }
}

// Beside the old question, which stays with what followed it, but is not shown.
export function edited(conversation, old, ids, text) {
  const place = conversation.questions.findIndex((question) => question.id === old)
  const { siblings, images } = conversation.questions[place]
  const question = { id: ids.question, text, images, answers: [begun(ids.answer)], chosen: null, siblings: [...siblings, ids.question] }
  return { ...conversation, running: ids.answer, questions: [...conversation.questions.slice(0, place), question] }
}
