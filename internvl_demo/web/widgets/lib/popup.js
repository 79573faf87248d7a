// What opens over the page beside the button that opens it: a menu or a small panel. The browser closes it at Escape and
// at a press elsewhere, and gives the focus back.
//
//     const popup = makePopup(button, make('div', {}, ...))     // append popup.panel near the button
import { clamp, set } from './dom.js'

const GAP_PX = 6

export function makePopup(opener, panel, { onOpen = () => {} } = {}) {
  set(panel, { popover: 'auto', class: `popup ${panel.className}`.trim() })
  set(opener, { 'aria-haspopup': 'true', 'aria-expanded': 'false' })
  let wasOpen = false // at the press, which closes it before the click

  // Above the button, or below it where there is more room; within the window.
  function place() {
    const [area, own] = [opener.getBoundingClientRect(), panel.getBoundingClientRect()]
    const above = area.top > window.innerHeight - area.bottom
    const top = above ? area.top - own.height - GAP_PX : area.bottom + GAP_PX
    panel.style.left = `${clamp(area.left, GAP_PX, Math.max(GAP_PX, window.innerWidth - own.width - GAP_PX))}px`
    panel.style.top = `${clamp(top, GAP_PX, Math.max(GAP_PX, window.innerHeight - own.height - GAP_PX))}px`
  }

  const isOpen = () => panel.matches(':popover-open')
  const grown = new ResizeObserver(() => { if (isOpen()) place() })

  opener.addEventListener('pointerdown', () => { wasOpen = isOpen() })
  opener.addEventListener('keydown', () => { wasOpen = isOpen() })
  opener.addEventListener('click', () => {
    if (!wasOpen) open()
    else if (isOpen()) panel.hidePopover()
    wasOpen = false
  })
  panel.addEventListener('toggle', ({ newState }) => {
    set(opener, { 'aria-expanded': String(newState === 'open') })
    if (newState === 'open') grown.observe(panel)
    else grown.disconnect()
  })

  function open() {
    if (isOpen()) return
    panel.showPopover()
    onOpen()
    place()
    panel.querySelector('button:not([hidden]), select, input:checked, input')?.focus({ preventScroll: true })
  }

  return { panel, open, close: () => { if (isOpen()) panel.hidePopover() }, isOpen }
}
