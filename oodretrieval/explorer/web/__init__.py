"""The explorer as a page for browser and notebook; only this part of it knows Panel, Bokeh and Tornado."""
