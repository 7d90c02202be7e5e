"""Looking at images, embedding spaces and neighbours."""
