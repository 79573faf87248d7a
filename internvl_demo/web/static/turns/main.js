// Under each message of the conversation, what can be done with it. A question is known by the class `asked` and
// an answer by the class `receipt` of a mark that Python put into it, with `turn-n`. Gradio draws messages anew as
// it likes, so what is missing is put back whenever something changes there.
function makeTurns(widget) {
  let conversation = null // Gradio may mount it after this
  let shown = { turns: [], words: {} }
  let words = {}
  const reworded = new Map() // by question, until it says so: an edit that was refused is not lost

  const messageOf = (mark, turn) => conversation.querySelector(`.${mark}.turn-${turn}`)?.closest('[data-testid]')

  function link() {
    for (const old of conversation.querySelectorAll('.turn-acts, .turn-edit')) {
      if (!shown.turns.length) old.remove()
    }
    shown.turns.forEach((turn, index) => {
      place('asked', index + 1, turn, asked)
      if (turn.answer !== null) place('receipt', index + 1, turn, answered)
    })
    if (shown.turns.length) conversation.querySelectorAll('.turn-edit').forEach(label)
    watcher.takeRecords() // what was just changed is no news
  }

  function place(mark, number, turn, draw) {
    const message = messageOf(mark, number)
    if (!message) return
    const key = JSON.stringify([turn, number === shown.turns.length, words.edit])
    const old = message.querySelector(':scope > .turn-acts')
    if (old?.dataset.key === key) return
    const fresh = make('div', { class: 'turn-acts', role: 'group', 'data-key': key }, ...draw(turn, number, message))
    const focused = old?.contains(document.activeElement) ? document.activeElement.dataset.act : null
    if (old) old.replaceWith(fresh)
    else message.append(fresh)
    if (focused) fresh.querySelector(`[data-act="${focused}"]`)?.focus({ preventScroll: true })
  }

  function act(name, path, text, then) {
    return button({ class: 'turn-act', 'data-act': name, 'aria-label': text, title: text }, then, pathIcon(path))
  }

  function asked(turn, number, message) {
    const acts = [act('edit', 'M3 13l1-4 7-7 3 3-7 7zM9 4l3 3', words.edit, () => edit(turn, message))]
    if (number === shown.turns.length) acts.push(act('undo', 'M6 3L2 7l4 4M2 7h8a4 4 0 0 1 0 7H8', words.undo, () => trigger('undo')))
    return acts
  }

  function answered(turn, number) {
    const acts = [act('copy', 'M5 5V2h9v9h-3M2 5h9v9H2z', words.copy, (event) => copy(turn.answer, event.currentTarget))]
    if (turn.versions.length > 1) acts.push(...versions(turn))
    return acts
  }

  function versions({ versions: all, chosen }) {
    const step = (by) => trigger('select', { version: all[chosen + by].id })
    const back = act('earlier', 'M10 3L5 8l5 5', words.earlier, () => step(-1))
    const on = act('later', 'M6 3l5 5-5 5', words.later, () => step(1))
    back.disabled = chosen === 0
    on.disabled = chosen === all.length - 1
    const count = make('span', { class: 'turn-count' }, `${chosen + 1}/${all.length}`)
    const beside = act('beside', 'M2 3h5v10H2zM9 3h5v10H9z', words.beside, () => compare(all, chosen))
    return [back, count, on, beside]
  }

  // All versions side by side; one of them is chosen to go on from.
  function compare(all, chosen) {
    const dialog = make('dialog', { class: 'turn-versions', 'aria-label': words.beside })
    const close = button({ class: 'turn-close', 'aria-label': words.close }, () => dialog.close(), '×')
    const columns = all.map((version, index) => make('section', { 'aria-current': index === chosen ? 'true' : null },
      make('h3', {}, `${index + 1}/${all.length}`), make('p', { class: 'said' }, version.text), make('p', { class: 'note' }, version.note),
      button({ class: 'turn-choose', disabled: index === chosen }, () => { dialog.close(); trigger('select', { version: version.id }) },
        index === chosen ? words.chosen : words.choose)))
    dialog.append(make('header', {}, make('h2', {}, words.beside), close), make('div', { class: 'columns' }, ...columns))
    dialog.addEventListener('close', () => dialog.remove())
    widget.append(dialog)
    dialog.showModal()
  }

  async function copy(text, from) {
    try {
      await navigator.clipboard.writeText(text)
    } catch { // not on https, or forbidden
      const area = make('textarea', { class: 'unseen' })
      area.value = text
      from.after(area)
      area.select()
      document.execCommand('copy')
      area.remove()
    }
    from.classList.add('done')
    from.setAttribute('aria-label', words.copied)
    from.title = words.copied
    setTimeout(() => {
      from.classList.remove('done')
      from.setAttribute('aria-label', words.copy)
      from.title = words.copy
    }, 1500)
  }

  function label(form) {
    const [send, leave] = form.querySelectorAll('button')
    form.querySelector('textarea').setAttribute('aria-label', words.edit)
    for (const [node, text] of [[form.querySelector('p'), words.edit_note], [send, words.edit_send], [leave, words.edit_leave]]) {
      if (node.textContent !== text) node.textContent = text
    }
  }

  function edit({ question, text }, message) {
    if (message.querySelector('.turn-edit')) return
    const area = make('textarea', { rows: Math.min(8, text.split('\n').length + 1) })
    area.value = reworded.get(question) ?? text
    const form = make('form', { class: 'turn-edit' }, make('p'), area,
      make('div', {}, make('button', { type: 'submit', class: 'main' }), button({}, leave)))
    label(form)
    function leave() {
      reworded.delete(question)
      form.remove()
      message.querySelector('[data-act="edit"]')?.focus()
    }
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      if (!area.value.trim()) return
      reworded.set(question, area.value)
      trigger('edit', { question, text: area.value })
      form.remove()
    })
    form.addEventListener('keydown', (event) => {
      event.stopPropagation()
      if (event.key === 'Escape') leave()
      else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit() }
    })
    message.append(form)
    area.focus()
  }

  const watcher = new MutationObserver(link)

  function find() {
    conversation = document.getElementById('conversation')
    if (!conversation) return requestAnimationFrame(find)
    watcher.observe(conversation, { childList: true, characterData: true, subtree: true })
    link()
  }

  function show(value) {
    shown = value
    words = value.words ?? {}
    for (const turn of shown.turns) if (reworded.get(turn.question) === turn.text) reworded.delete(turn.question)
    if (conversation) link()
  }

  find()
  return { show }
}

function pathIcon(path) {
  return vector('svg', { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' }, vector('path', { d: path }))
}

const turns = makeTurns(element.querySelector('.widget'))
const drawTurns = () => turns.show({ turns: [], words: {}, ...props.value })
watch('value', drawTurns)
drawTurns()
