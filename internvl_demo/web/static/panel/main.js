// The person's conversations: open, name, delete, begin a new one. Behind a button: it lies over the page.
function makePanel(widget) {
  let value = { entries: [], words: {} }
  let asking = null // the conversation that is about to be deleted
  let naming = null // the one that is being renamed, and its name so far

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
    const act = (name, attributes, deed, ...inside) => button({ 'data-key': `${name} ${id}`, ...attributes }, deed, ...inside)
    if (asking === id) {
      return make('li', {}, make('span', { class: 'sure' }, value.words.sure),
        act('sure', { class: 'danger' }, () => { asking = null; trigger('delete', { id }); fresh.focus() }, value.words.delete),
        act('keep', { class: 'keep' }, () => { asking = null; draw(`drop ${id}`) }, value.words.keep))
    }
    if (naming?.id === id) return make('li', {}, form(id))
    return make('li', {},
      act('open', { class: 'open', 'aria-current': id === value.shown ? 'true' : null }, () => { dialog.close(); trigger('select', { id }) },
        make('span', { class: 'title' }, text || value.words.untitled), make('time', {}, when(seconds))),
      act('name', { class: 'small', 'aria-label': `${value.words.rename}: ${text}`, title: value.words.rename }, () => { naming = { id, text }; draw(`field ${id}`, true) }, pencil()),
      act('drop', { class: 'small', 'aria-label': `${value.words.delete}: ${text}`, title: value.words.delete }, () => { asking = id; draw(`sure ${id}`) }, bin()))
  }

  function form(id) {
    const field = make('input', { 'data-key': `field ${id}`, 'aria-label': value.words.rename, maxlength: '80' })
    field.value = naming.text
    field.addEventListener('input', () => { naming.text = field.value })
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return
      event.preventDefault() // the list stays open
      event.stopPropagation()
      naming = null
      draw(`name ${id}`)
    })
    const form = make('form', {}, field, make('button', { type: 'submit', 'data-key': `done ${id}` }, value.words.rename))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      naming = null
      if (field.value.trim()) trigger('edit', { id, title: field.value })
      draw(`name ${id}`)
    })
    return form
  }

  const small = (path) => vector('svg', { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' }, vector('path', { d: path }))
  const pencil = () => small('M3 13l1-4 7-7 3 3-7 7zM9 4l3 3')
  const bin = () => small('M2 4h12M6 4V2h4v2M4 4l1 10h6l1-10')

  // The list is drawn anew whenever something happens on the server: what has the focus keeps it.
  function draw(focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : null, whole = false) {
    const { words } = value
    const { selectionStart: from, selectionEnd: to } = document.activeElement
    label.textContent = words.conversations
    count.textContent = value.entries.length || ''
    title.textContent = words.conversations
    fresh.textContent = words.new
    close.setAttribute('aria-label', words.close)
    dialog.setAttribute('aria-label', words.conversations)
    empty.textContent = value.entries.length ? '' : words.empty
    list.replaceChildren(...value.entries.map(line))
    if (!focused) return
    const node = [...list.querySelectorAll('[data-key]')].find((one) => one.dataset.key === focused)
    ;(node ?? fresh).focus()
    if (whole) node?.select()
    else if (node?.matches('input') && from !== undefined) node.setSelectionRange(from, to)
  }

  return { show(next) { value = next; draw() } }
}

const panel = makePanel(element.querySelector('.widget'))
const drawPanel = () => { if (props.value?.words) panel.show(props.value) }
watch('value', drawPanel)
drawPanel()
