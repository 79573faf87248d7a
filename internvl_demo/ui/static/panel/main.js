// The person's conversations: open, name, delete, begin a new one. Behind a button: it lies over the page.
function makePanel(widget) {
  let value = { entries: [], words: {} }
  let asking = null // the conversation that is about to be deleted

  const count = make('span', { class: 'count' })
  const label = make('span')
  const toggle = button({ class: 'panel-toggle', 'aria-haspopup': 'dialog' }, () => dialog.showModal(),
    vector('svg', { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' }, vector('path', { d: 'M2 4h12M2 8h12M2 12h12' })), label, count)
  const list = make('ul')
  const title = make('h2')
  const empty = make('p', { class: 'empty' })
  const fresh = button({ class: 'panel-new' }, () => { dialog.close(); trigger('clear') })
  const close = button({ class: 'panel-close' }, () => dialog.close(), '×')
  const dialog = make('dialog', { class: 'conversations' }, make('header', {}, title, close), fresh, list, empty)
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close() }) // beside it
  widget.replaceChildren(toggle, dialog)

  function when(seconds) {
    const date = new Date(seconds * 1000)
    const today = new Date().toDateString() === date.toDateString()
    const parts = today ? { hour: '2-digit', minute: '2-digit' } : { year: 'numeric', month: 'short', day: 'numeric' }
    return new Intl.DateTimeFormat(value.language === 'zh' ? 'zh-CN' : 'en-GB', parts).format(date)
  }

  function line({ id, title: text, when: seconds }) {
    const open = button({ class: 'open', 'aria-current': id === value.shown ? 'true' : null }, () => { dialog.close(); trigger('select', { id }) },
      make('span', { class: 'title' }, text || value.words.untitled), make('time', {}, when(seconds)))
    const name = button({ class: 'small', 'aria-label': `${value.words.rename}: ${text}`, title: value.words.rename }, () => rename(row, id, text), pencil())
    const drop = button({ class: 'small', 'aria-label': `${value.words.delete}: ${text}`, title: value.words.delete }, () => { asking = id; draw(); list.querySelector('.danger')?.focus() }, bin())
    const row = make('li', {}, open, name, drop)
    if (asking === id) {
      row.replaceChildren(make('span', { class: 'sure' }, value.words.sure),
        button({ class: 'danger' }, () => { asking = null; trigger('delete', { id }) }, value.words.delete),
        button({ class: 'keep' }, () => { asking = null; draw() }, value.words.keep))
    }
    return row
  }

  function rename(row, id, text) {
    const field = make('input', { 'aria-label': value.words.rename, maxlength: '80' })
    field.value = text
    const form = make('form', {}, field, make('button', { type: 'submit' }, value.words.rename))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      trigger('edit', { id, title: field.value })
    })
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return
      event.preventDefault() // the list stays open
      event.stopPropagation()
      draw()
    })
    row.replaceChildren(form)
    field.focus()
    field.select()
  }

  const small = (path) => vector('svg', { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' }, vector('path', { d: path }))
  const pencil = () => small('M3 13l1-4 7-7 3 3-7 7zM9 4l3 3')
  const bin = () => small('M2 4h12M6 4V2h4v2M4 4l1 10h6l1-10')

  function draw() {
    const { words } = value
    label.textContent = words.conversations
    count.textContent = value.entries.length || ''
    title.textContent = words.conversations
    fresh.textContent = words.new
    close.setAttribute('aria-label', words.close)
    dialog.setAttribute('aria-label', words.conversations)
    empty.textContent = value.entries.length ? '' : words.empty
    list.replaceChildren(...value.entries.map(line))
  }

  return { show(next) { value = next; draw() } }
}

const panel = makePanel(element.querySelector('.widget'))
const drawPanel = () => { if (props.value?.words) panel.show(props.value) }
watch('value', drawPanel)
drawPanel()
