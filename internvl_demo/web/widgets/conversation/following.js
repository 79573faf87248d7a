// Follows a growing list to its end while the reader is there. Who scrolls back is left in peace, and told by
// `onBehind(true)` when there is `news` below.
const NEAR_PX = 24

export function makeFollower(view, content, onBehind) {
  let following = true
  let top = 0 // where it was scrolled to the last time

  const atEnd = () => view.scrollHeight - view.scrollTop - view.clientHeight <= NEAR_PX

  // Only a move upwards ends it: text that grows before the event of our own scrolling is no move of the reader's.
  view.addEventListener('scroll', () => {
    if (atEnd()) {
      following = true
      onBehind(false)
    } else if (view.scrollTop < top - 1) following = false
    top = view.scrollTop
  }, { passive: true })

  const sizes = new ResizeObserver(() => { if (following) end() })
  sizes.observe(content)
  sizes.observe(view)

  function end() {
    view.scrollTop = content.childElementCount ? view.scrollHeight : 0
    top = view.scrollTop
  }

  return {
    news() {
      if (!following && !atEnd()) onBehind(true)
    },
    // What grows now was opened by the reader, who begins at its top.
    stay() {
      following = false
    },
    toEnd() {
      following = true
      onBehind(false)
      end()
    },
  }
}
