"""Find the candidates of a catalogue that are like one of them, like a box in an image, or like a description.

    python scripts/find_similar.py with args.embeddings_file=camvid_val args.candidates=0

Saves a contact sheet and a table (CSV), whose column candidate is what args.candidates takes.
A box in any image: args.image=photo.jpg args.box=40,60,200,180
Several examples, and what is not wanted: args.candidates=3,17 args.unlike=5
By description, where args.net has a text side: "args.text=a photo of a dog"
Only some: 'args.filter=predicted == "car" and predicted_iou < 0.5'
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.discover.settings import SimilarSettings

    run_script(
        lambda configuration: SimilarSettings(
            embeddings_file=configuration.defaults["DATASET"],  # name of the catalogue
        ),
        "oodretrieval.stages.discover.find_similar:find_similar",
        only_reads=True,
    )
