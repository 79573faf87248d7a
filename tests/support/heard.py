"""What a reader of screens says by itself: the changes in the page's live regions, one by one."""

from playwright.sync_api import Page

_LISTEN = """() => {
    window.heard = []
    const regions = '[aria-live], [role=alert], [role=status], [role=log], output'
    const hear = (where) => {
        const region = where?.closest(regions)
        if (!region || region.getAttribute('aria-live') === 'off' || !region.checkVisibility()) return null
        return region
    }
    new MutationObserver((changes) => {
        const said = new Map()
        for (const { target, addedNodes, type } of changes) {
            if (type === 'childList' && !addedNodes.length) continue
            const region = hear(target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement)
            if (!region) continue
            const whole = region.matches('[role=alert], [role=status], output')
            said.set(whole ? region : type === 'childList' ? addedNodes[0] : target, 0)
        }
        for (const node of said.keys()) {
            const text = node.textContent.replace(/\\s+/g, ' ').trim()
            if (text) window.heard.push(text)
        }
    }).observe(document.body, { subtree: true, childList: true, characterData: true })
}"""


def listen(page: Page) -> None:
    """From now on."""
    page.evaluate(_LISTEN)


def heard(page: Page) -> list[str]:
    """What was said since then or since this was asked, in order."""
    return page.evaluate("window.heard.splice(0)")
