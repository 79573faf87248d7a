// What went wrong, and what to do now. Text only: it may hold anything.
import { make } from '../lib/dom.js'
import { on, page } from '../lib/page.js'

export default function mount(element) {
  const root = element.querySelector('.widget')
  root.setAttribute('role', 'alert')

  function draw() {
    const { notice } = page
    const text = notice ? `${notice.what} ${notice.next_step}` : ''
    if (root.textContent === text) return
    root.classList.toggle('shown', Boolean(text))
    root.replaceChildren(...(text ? [make('strong', {}, notice.what), ` ${notice.next_step}`] : []))
  }

  on('notice', draw)
  draw()
}
